import { Agent } from 'node:http';
import { type Holdings, type Row, readHoldings } from '../api/rows.ts';
import { type Abort, type Answer, type NoAnswer, post } from '../http/post.ts';
import { during, type Fault } from './faults.ts';
import { keyOf, Model, Owners } from './model.ts';
import type { Step } from './operations.ts';
import { type Request, requestOf } from './requests.ts';
import type { TestBed } from './testBed.ts';

/** What was wrong with an answer. */
export class Finding extends Error {
  readonly leak: boolean;
  readonly type: string;
  readonly statement: string;
  readonly answer: string;

  constructor(what: string, about: { leak: boolean; type: string; statement: string; answer: string }) {
    super(what);
    this.leak = about.leak;
    this.type = about.type;
    this.statement = about.statement;
    this.answer = about.answer;
  }
}

interface Lane {
  readonly stage: TestBed;
  readonly owners: Owners;
  readonly index: number;
  readonly models: Model[];
  readonly agent: Agent;
  /** Faults affect every request on the connection. */
  readonly faulty: boolean;
}

/** Does the steps, each tenant's one after the other and all tenants' at once. @throws Finding */
export async function execute(
  stage: TestBed,
  steps: readonly Step[],
  count: (kind: string, type: string) => void,
): Promise<void> {
  await stage.restore();
  const sampleRows = [...stage.known.sampleRows.values()].flat();
  const owners = new Owners(new Set(sampleRows.flatMap((row) => Object.values(row))));
  for (const { member, holdings } of stage.tenants) {
    noteAll(owners, member.name, holdings);
  }
  const models = stage.tenants.map(({ holdings }) => new Model(holdings));
  const faulty = steps.some(({ fault }) => fault !== undefined);
  const agents = stage.tenants.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  try {
    const lanes = agents.map((agent, index) => ({ stage, owners, index, models, agent, faulty }));
    const results = await Promise.allSettled(
      lanes.map(async (lane) => {
        for (const step of steps.filter(({ tenant }) => tenant === lane.index)) await take(lane, step, count);
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    // When nothing runs any more, everybody finds what they left.
    for (const lane of lanes) await look(lane);
  } finally {
    for (const agent of agents) agent.destroy();
  }
}

async function take(lane: Lane, step: Step, count: (kind: string, type: string) => void): Promise<void> {
  const { stage, index, models, agent } = lane;
  if (models[index]?.uncertain) await look(lane);
  const model = models[index] as Model;
  const others = models.filter((other) => other !== model);
  const wanted = step.kind === 'a stranger' ? { ...step, kind: 'page' as const } : step;
  const request = requestOf(stage, wanted, model, others);
  if (!request) return;
  count(step.kind, request.type);
  const stranger = step.kind === 'a stranger';
  const token = stranger ? undefined : stage.tenants[index]?.member.token;
  const { document, variables } = request.question;
  const payload = Buffer.from(JSON.stringify({ query: document, variables }));
  const abort = abortOf(step.fault, step.choice);
  const answer = await during(stage.db, step.fault, () =>
    post(`${stage.client.url}/graphql`, { agent, token, payload, abort }),
  );
  judge(lane, request, answer, { payload: payload.toString(), stranger });
}

function abortOf(fault: Fault | undefined, choice: number): Abort | undefined {
  if (fault !== 'socket aborted') return undefined;
  return { when: (['before', 'during', 'after'] as const)[choice % 3] ?? 'during', milliseconds: choice % 7 };
}

/** Codes that say that the request has failed because of what was around it. */
const troubles = ['TIMEOUT', 'UNAVAILABLE', 'CONFLICT'];

function judge(
  lane: Lane,
  request: Request,
  answer: Answer | NoAnswer,
  { payload, stranger }: { payload: string; stranger: boolean },
): void {
  const { stage, owners, index, models, faulty } = lane;
  const model = models[index] as Model;
  const name = stage.tenants[index]?.member.name ?? '';
  const before = model.uncertain;
  const writes = request.question.document.startsWith('mutation');
  if (writes) model.uncertain = true;
  if (typeof answer === 'string') {
    model.unsettled ||= writes;
    if (answer === 'aborted' || !stage.strict) return;
    throw new Finding(`a request was ${answer}`, { leak: false, type: request.type, statement: payload, answer });
  }
  const find = (leak: boolean, what: string) =>
    new Finding(what, { leak, type: request.type, statement: payload, answer: `${answer.status} ${answer.text}` });
  const who = stranger ? 'a stranger' : name;
  const foreign = owners.foreignIn(answer.text, stranger ? undefined : name, payload);
  if (foreign) throw find(true, `${who} was shown what is another's: ${foreign.what}`);
  const { body, status } = answer;
  const codes = (body?.errors ?? []).map(({ extensions }) => extensions?.code ?? 'no code');
  const data = body?.data?.[request.field];
  if (stranger) {
    if (data) throw find(true, 'a stranger was answered with data');
    return;
  }
  // What another's row is called, an own one may be called, too.
  const isForeign = (row: Row) => !before && !model.has(request.type, row);
  if (request.kind === 'nothing' && codes.length === 0 && rowsIn(data).some(isForeign)) {
    throw find(true, `${who} was answered with data for a row of another's`);
  }
  if (codes.length > 0) {
    if (!stage.strict) return;
    const refused = writes && request.kind !== 'delete' ? ['BAD_USER_INPUT', 'CONFLICT'] : [];
    const allowed = [
      'TIMEOUT',
      ...(faulty ? troubles : []),
      ...refused,
      ...(request.kind === 'nothing' ? ['NOT_FOUND'] : []),
    ];
    if (before) allowed.push('NOT_FOUND');
    const wrong = codes.find((code) => !allowed.includes(code));
    if (wrong && !(request.kind === 'delete' && wrong === 'CONFLICT'))
      throw find(false, `${wrong} for what should work`);
    return;
  }
  if (status !== 200) throw find(false, `status ${status} without an error`);
  if (!stage.strict || data === undefined || request.kind === 'nothing' || request.kind === 'related') return;
  const rows = rowsIn(data);
  for (const row of rows) owners.note(name, request.type, row);
  if (request.kind === 'create' || request.kind === 'update') {
    for (const row of rows) model.put(request.type, row);
    // A trigger may have done more; and with a row's key those of other rows may change.
    const { of } = request;
    const isMoved = of !== undefined && !rows.some((row) => keyOf(row) === keyOf(of));
    model.uncertain = model.unsettled || rows.length === 0 || isMoved;
  } else if (request.kind !== 'delete' && !before && isModelled(stage, request.type)) {
    const complaint = model.complaintAbout(request.type, rows, request.kind === 'all');
    if (complaint) throw find(false, complaint);
  }
}

/** The rows in a page, in a payload, or the one that there is. */
function rowsIn(data: unknown): Row[] {
  if (typeof data !== 'object' || data === null) return [];
  const held = data as Record<string, unknown>;
  if (Array.isArray(held.nodes)) return held.nodes as Row[];
  if ('clientMutationId' in held) {
    return Object.values(held).flatMap((part) => {
      if (Array.isArray(part)) return part.filter((item) => typeof item === 'object') as Row[];
      return typeof part === 'object' && part !== null && !('cursor' in part) ? [part as Row] : [];
    });
  }
  return [held];
}

/** Views and what only sign-in writes are read, and nothing is known of them. */
function isModelled({ known: { api } }: TestBed, type: string): boolean {
  return api.fields.some(
    ({ operation, field, entity }) =>
      operation === 'mutation' && entity?.name === type && field.name.startsWith('create'),
  );
}

/** Reads everything again: what is not in doubt must be as it was. */
async function look(lane: Lane): Promise<void> {
  const { stage, owners, index, models } = lane;
  const tenant = stage.tenants[index];
  if (!tenant) return;
  const before = models[index] as Model;
  const found = await again(() => readHoldings(stage.client, stage.known.api, tenant.member));
  const about = { leak: true, statement: 'everything that can be listed', answer: found.text };
  const foreign = owners.foreignIn(found.text, tenant.member.name, '');
  if (foreign)
    throw new Finding(`${tenant.member.name} was shown what is another's: ${foreign.what}`, {
      ...about,
      type: foreign.type,
    });
  const after = new Model(found);
  if (!before.uncertain && stage.strict) {
    for (const type of stage.known.api.rows.keys()) {
      const complaint = isModelled(stage, type) && after.complaintAbout(type, before.rows(type), true);
      if (complaint)
        throw new Finding(`${tenant.member.name} finds something else: ${complaint}`, { ...about, leak: false, type });
    }
  }
  noteAll(owners, tenant.member.name, found);
  after.unsettled = before.unsettled;
  after.uncertain = before.unsettled;
  models[index] = after;
}

function noteAll(owners: Owners, name: string, { rows }: Holdings): void {
  for (const [type, found] of rows) for (const row of found) owners.note(name, type, row);
}

/** A backend may have been killed for somebody else's request. */
async function again(read: () => Promise<Holdings>): Promise<Holdings> {
  for (let attempt = 0; ; attempt++) {
    const found = await read();
    if (!/"code":"(UNAVAILABLE|TIMEOUT)"/.test(found.text) || attempt > 4) return found;
  }
}
