import { Agent } from 'node:http';
import type { ApiActor } from '../api/client.ts';
import { type Holdings, type Row, readHoldings } from '../api/rows.ts';
import { type Abort, type Answer, type NoAnswer, post } from '../http/post.ts';
import { during, type Fault } from './faults.ts';
import { keyOf, Model, ValueOwners } from './model.ts';
import type { Step } from './operations.ts';
import type { TestBed } from './prepareTestBed.ts';
import { type Request, requestOf } from './requests.ts';

/** A wrong answer. It is a leak if it reveals data of another tenant. */
export class Finding extends Error {
  readonly leak: boolean;
  readonly type: string;
  readonly statement: string;
  readonly answer: string;

  constructor(message: string, about: { leak: boolean; type: string; statement: string; answer: string }) {
    super(message);
    this.leak = about.leak;
    this.type = about.type;
    this.statement = about.statement;
    this.answer = about.answer;
  }
}

/** One tenant in a run. It sends its requests one after another over its own connection. */
interface TenantWorker {
  readonly testBed: TestBed;
  readonly owners: ValueOwners;
  /** The tenant's place in `models` and in the tenants of the test bed. */
  readonly index: number;
  /** The models of all tenants. A worker replaces its own model when it reads all rows again. */
  readonly models: Model[];
  readonly agent: Agent;
  /** Whether any step of the run has a fault, which can affect the requests of every tenant. */
  readonly faulty: boolean;
}

/**
 * Executes a list of steps. Each tenant's steps run in sequence, and all tenants run concurrently. At the end, each
 * tenant reads all rows again.
 *
 * @param count is called for each request, with its operation and its type of rows.
 * @throws Finding for the first wrong answer.
 */
export async function execute(
  testBed: TestBed,
  steps: readonly Step[],
  count: (operation: string, type: string) => void,
): Promise<void> {
  await testBed.restore();
  const sampleRows = [...testBed.context.sampleRows.values()].flat();
  const owners = new ValueOwners(new Set(sampleRows.flatMap((row) => Object.values(row))));
  for (const { member, holdings } of testBed.tenants) recordAll(owners, member.name, holdings);
  const models = testBed.tenants.map(({ holdings }) => new Model(holdings));
  const faulty = steps.some(({ fault }) => fault !== undefined);
  const agents = testBed.tenants.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  try {
    const workers = agents.map((agent, index) => ({ testBed, owners, index, models, agent, faulty }));
    const results = await Promise.allSettled(
      workers.map(async (worker) => {
        for (const step of steps.filter(({ tenant }) => tenant === worker.index)) await perform(worker, step, count);
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    for (const worker of workers) await readAgain(worker);
  } finally {
    for (const agent of agents) agent.destroy();
  }
}

async function perform(
  worker: TenantWorker,
  step: Step,
  count: (operation: string, type: string) => void,
): Promise<void> {
  const { testBed, index, models, agent } = worker;
  if (models[index]?.uncertain) await readAgain(worker);
  const model = models[index] as Model;
  const others = models.filter((other) => other !== model);
  const refused = refusedReaders[step.operation];
  const request = requestOf(testBed, refused ? { ...step, operation: 'page' } : step, model, others);
  if (!request) return;
  count(step.operation, request.type);
  const { token, organizationId } = senderOf(testBed.tenants, step) ?? {};
  const headers = organizationId === undefined ? {} : { 'x-organization-id': organizationId };
  const { document, variables } = request.question;
  const payload = Buffer.from(JSON.stringify({ query: document, variables }));
  const abort = abortOf(step.fault, step.choice);
  const answer = await during(testBed.db, step.fault, () =>
    post(`${testBed.client.url}/graphql`, { agent, token, payload, abort, headers }),
  );
  check(worker, request, answer, { payload: payload.toString(), refused });
}

/** The readers whose requests the server must refuse, by the operation. */
const refusedReaders: Readonly<Partial<Record<Step['operation'], string>>> = {
  unauthenticated: 'an unauthenticated client',
  'another tenant’s organization': 'a tenant that acts for another tenant’s organization',
};

/** The identity of a request: the tenant with its organization or with another tenant's, or nobody. */
function senderOf(tenants: TestBed['tenants'], { tenant, operation, choice }: Step): ApiActor | undefined {
  if (operation === 'unauthenticated') return undefined;
  const member = tenants[tenant]?.member;
  if (!member || operation !== 'another tenant’s organization') return member;
  const others = tenants.filter((_, index) => index !== tenant);
  const organizationId = others[choice % others.length]?.member.organizationId;
  return organizationId === undefined ? undefined : { ...member, organizationId };
}

function abortOf(fault: Fault | undefined, choice: number): Abort | undefined {
  if (fault !== 'socket aborted') return undefined;
  return { when: (['before', 'during', 'after'] as const)[choice % 3] ?? 'during', milliseconds: choice % 7 };
}

/** Error codes that a fault can cause in any request of the run. */
const faultCodes = ['TIMEOUT', 'UNAVAILABLE', 'CONFLICT'];

/**
 * Checks an answer against the model and updates the model.
 *
 * @throws Finding if the answer is wrong.
 */
function check(
  worker: TenantWorker,
  request: Request,
  answer: Answer | NoAnswer,
  { payload, refused }: { payload: string; refused: string | undefined },
): void {
  const { testBed, owners, index, models, faulty } = worker;
  const model = models[index] as Model;
  const name = testBed.tenants[index]?.member.name ?? '';
  const wasUncertain = model.uncertain;
  const writes = request.question.document.startsWith('mutation');
  if (writes) model.uncertain = true;
  if (typeof answer === 'string') {
    model.unsettled ||= writes;
    if (answer === 'aborted') return;
    const about = { leak: false, type: request.type, statement: payload, answer };
    throw new Finding(`a request received no answer: ${answer}`, about);
  }
  const finding = (leak: boolean, message: string) =>
    new Finding(message, { leak, type: request.type, statement: payload, answer: `${answer.status} ${answer.text}` });
  const reader = refused ?? name;
  const foreign = owners.foreignIn(answer.text, refused === undefined ? name : undefined, payload);
  if (foreign) throw finding(true, `${reader} received a value of another tenant: ${foreign.what}`);
  const { body, status } = answer;
  const codes = (body?.errors ?? []).map(({ extensions }) => extensions?.code ?? 'no code');
  const data = body?.data?.[request.field];
  if (refused !== undefined) {
    if (data) throw finding(true, `${refused} received data`);
    return;
  }
  // A row of this tenant may have the same key as the requested row of another tenant.
  const isForeign = (row: Row) => !wasUncertain && !model.has(request.type, row);
  if (request.expected === 'nothing' && codes.length === 0 && rowsIn(data).some(isForeign)) {
    throw finding(true, `${reader} received data for a row of another tenant`);
  }
  if (codes.length > 0) {
    const refusals = writes && request.expected !== 'delete' ? ['BAD_USER_INPUT', 'CONFLICT'] : [];
    const allowed = [
      'TIMEOUT',
      ...(faulty ? faultCodes : []),
      ...refusals,
      ...(request.expected === 'nothing' ? ['NOT_FOUND'] : []),
    ];
    if (wasUncertain) allowed.push('NOT_FOUND');
    const wrong = codes.find((code) => !allowed.includes(code));
    if (wrong && !(request.expected === 'delete' && wrong === 'CONFLICT'))
      throw finding(false, `${wrong} for a request that should succeed`);
    return;
  }
  if (status !== 200) throw finding(false, `status ${status} without an error`);
  if (data === undefined || request.expected === 'nothing' || request.expected === 'related') return;
  const rows = rowsIn(data);
  for (const row of rows) owners.record(name, request.type, row);
  if (request.expected === 'create' || request.expected === 'update') {
    for (const row of rows) model.put(request.type, row);
    // The model stays uncertain if the payload has no row, because a trigger may have changed other rows. It also stays
    // uncertain if the row's key changed, because the keys of other rows may have changed with it.
    const { row: before } = request;
    const isMoved = before !== undefined && !rows.some((row) => keyOf(row) === keyOf(before));
    model.uncertain = model.unsettled || rows.length === 0 || isMoved;
  } else if (request.expected !== 'delete' && !wasUncertain && isModeled(testBed, request.type)) {
    const difference = model.differenceFrom(request.type, rows, request.expected === 'all');
    if (difference) throw finding(false, difference);
  }
}

/** The rows in a connection, in a mutation payload, or a single row. */
function rowsIn(data: unknown): Row[] {
  if (typeof data !== 'object' || data === null) return [];
  const fields = data as Record<string, unknown>;
  if (Array.isArray(fields.nodes)) return fields.nodes as Row[];
  if ('clientMutationId' in fields) {
    return Object.values(fields).flatMap((part) => {
      if (Array.isArray(part)) return part.filter((item) => typeof item === 'object') as Row[];
      return typeof part === 'object' && part !== null && !('cursor' in part) ? [part as Row] : [];
    });
  }
  return [fields];
}

/** Whether tenants create rows of the type. The rows of views, and rows that only sign-in writes, are not modeled. */
function isModeled({ context: { api } }: TestBed, type: string): boolean {
  return api.fields.some(
    ({ operation, field, entity }) =>
      operation === 'mutation' && entity?.name === type && field.name.startsWith('create'),
  );
}

/**
 * Reads all rows of the tenant and replaces its model. If the model was certain, the rows must match it.
 *
 * @throws Finding if the rows differ or contain a value of another tenant.
 */
async function readAgain(worker: TenantWorker): Promise<void> {
  const { testBed, owners, index, models } = worker;
  const tenant = testBed.tenants[index];
  if (!tenant) return;
  const { name } = tenant.member;
  const before = models[index] as Model;
  const found = await untilAnswered(() => readHoldings(testBed.client, testBed.context.api, tenant.member));
  const about = { statement: 'all fields that list rows', answer: found.text };
  const foreign = owners.foreignIn(found.text, name, '');
  if (foreign)
    throw new Finding(`${name} received a value of another tenant: ${foreign.what}`, {
      ...about,
      leak: true,
      type: foreign.type,
    });
  const after = new Model(found);
  if (!before.uncertain) {
    for (const type of testBed.context.api.rows.keys()) {
      const difference = isModeled(testBed, type) && after.differenceFrom(type, before.rows(type), true);
      if (difference)
        throw new Finding(`${name} reads rows that differ from the model: ${difference}`, {
          ...about,
          leak: false,
          type,
        });
    }
  }
  recordAll(owners, name, found);
  after.unsettled = before.unsettled;
  after.uncertain = before.unsettled;
  models[index] = after;
}

function recordAll(owners: ValueOwners, name: string, { rows }: Holdings): void {
  for (const [type, found] of rows) for (const row of found) owners.record(name, type, row);
}

/** Retries up to five times, because a fault of another tenant's request may have affected this one. */
async function untilAnswered(read: () => Promise<Holdings>): Promise<Holdings> {
  for (let attempt = 0; ; attempt++) {
    const found = await read();
    if (!/"code":"(UNAVAILABLE|TIMEOUT)"/.test(found.text) || attempt > 4) return found;
  }
}
