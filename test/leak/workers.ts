import type { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Abort, type Answer, type NoAnswer, post } from '../../isolation/http/post.ts';
import { allowedByScenario, allowedSince, type Context, fail, shorten, type Worker } from './context.ts';
import { judge, judgeUnauthenticated } from './judge.ts';
import { probeAfter } from './probe.ts';
import { between, pick, uuidFrom, weighted } from './random.ts';
import { concurrentRead, list, read } from './reads.ts';
import { endSession, newAgent, newSession, type Tenant } from './tenant.ts';
import type { RequestInputs, TestRequest } from './testRequest.ts';
import { foreignRow, write } from './writes.ts';

/** Sends the requests of one tenant one after the other, so that the expected rows are known for each. */
export async function tenantWorker(worker: Worker, tenant: Tenant): Promise<void> {
  await forEachRequest(worker, async (agent, number) => {
    const { context, random } = worker;
    const { scenario, target } = context;
    const inputs = inputsFor(worker, tenant, number);
    const due = scenario.requests && number % (scenario.every ?? 1) === 0;
    const turn = number / (scenario.every ?? 1);
    const special = due ? scenario.requests[turn % scenario.requests.length]?.(inputs, target.db) : undefined;
    if (!special && scenario.name === 'calm' && target.strict && random() < 0.005)
      return revoked(worker, tenant, agent, number);
    const request = special ?? anyRequest(context, inputs);
    await perform(worker, { agent, number, tenant, request, abort: special ? undefined : maybeAbort(worker) });
  });
}

/** Reads as any tenant, while the tenants' own workers run. */
export async function concurrentReadWorker(worker: Worker): Promise<void> {
  await forEachRequest(worker, async (agent, number) => {
    const tenant = pick(worker.random, worker.context.tenants);
    const request = concurrentRead(inputsFor(worker, tenant, number));
    await perform(worker, { agent, number, tenant, request, abort: maybeAbort(worker) });
  });
}

/** Sends requests without a valid token. Each would return data with a tenant's token. */
export async function unauthenticatedWorker(worker: Worker): Promise<void> {
  await forEachRequest(worker, async (agent, number) => {
    const { context, random } = worker;
    const [who, token] = pick(random, context.invalidTokens);
    const { payload } = requestWithData(inputsFor(worker, pick(random, context.tenants), number));
    const start = performance.now();
    const answer = await post(context.target.url, { agent, token, payload, abort: maybeAbort(worker) });
    const verdict = judgeUnauthenticated(answer, { owners: context.owners, allowed: allowedSince(context, start) });
    record(worker, {
      number,
      who: `unauthenticated (${who})`,
      kind: `unauthenticated: ${who}`,
      payload,
      answer,
      ...verdict,
    });
    // These requests do not wait for the database. Without a pause they would use up the round.
    if (context.scenario.allowedCodes.length > 0) await sleep(5);
  });
}

async function forEachRequest(worker: Worker, one: (agent: Agent, number: number) => Promise<void>): Promise<void> {
  const agent = newAgent();
  for (let number = worker.next(); number !== undefined; number = worker.next()) {
    await one(agent, number);
    await probeAfter(worker.context, number);
  }
  agent.destroy();
}

function inputsFor({ context, random }: Worker, tenant: Tenant, number: number): RequestInputs {
  const others = context.tenants.filter((other) => other !== tenant);
  const newId = () => {
    const id = uuidFrom(random);
    context.owners.record(id, tenant.name);
    return id;
  };
  return { random, tenant, others, number, newId };
}

function anyRequest({ faults }: Context, inputs: RequestInputs): TestRequest {
  return weighted(inputs.random, [
    [40, read],
    [35, write],
    [8, foreignRow],
    [17, (own: RequestInputs) => faults.next().value(own)],
  ])(inputs);
}

/** Builds a request that the tenant's own token answers with data. */
function requestWithData(inputs: RequestInputs): TestRequest {
  return weighted(inputs.random, [
    [4, list],
    [2, read],
    [2, write],
  ])(inputs);
}

function maybeAbort({ random, context }: Worker): Abort | undefined {
  if (random() > 0.05) return undefined;
  const when = pick(random, ['before', 'during', 'during', 'after'] as const);
  context.report.faults.add(`socket aborted ${when} the answer`);
  return { when, milliseconds: between(random, 0, 6) };
}

interface PerformOptions {
  readonly agent: Agent;
  readonly number: number;
  readonly tenant: Tenant;
  readonly request: TestRequest;
  readonly abort?: Abort | undefined;
}

async function perform(worker: Worker, { agent, number, tenant, request, abort }: PerformOptions): Promise<void> {
  const { context } = worker;
  const { session } = tenant;
  const clear = await request.before?.();
  const start = performance.now();
  const answer = await post(context.target.url, { agent, token: session.token, payload: request.payload, abort });
  await clear?.();
  const judged = (codes: readonly string[]) => {
    const allowed = [...codes, ...(session.ended ? ['UNAUTHENTICATED'] : [])];
    return judge(answer, request, { tenant: tenant.name, owners: context.owners, allowed });
  };
  const verdict = judged(allowedSince(context, start));
  if (!verdict.problem && judged(allowedByScenario(context)).problem) context.report.excused++;
  // The server cannot have run a request whose body is incomplete.
  const outcome = answer === 'aborted' && abort?.when === 'before' ? 'not done' : verdict.outcome;
  request.settle?.(outcome, typeof answer === 'string' ? undefined : answer);
  recordFault(context, request, verdict.label);
  const expected = [...context.scenario.allowedCodes, ...(request.codes ?? [])];
  const isLate = ['TIMEOUT', 'UNAVAILABLE'].some((code) => verdict.label.includes(code) && !expected.includes(code));
  if (context.scenario.fewTimeouts && isLate) context.timeouts++;
  record(worker, { ...verdict, number, who: tenant.name, kind: request.kind, payload: request.payload, answer });
}

/** Counts a provoked fault if the answer shows that it occurred. */
function recordFault({ report, scenario }: Context, { kind, codes, faultWithData }: TestRequest, label: string): void {
  if (codes?.some((code) => label.includes(code)) || (faultWithData && label === 'data')) report.faults.add(kind);
  if (scenario.signalCode && label === scenario.signalCode) report.faults.add(scenario.name);
}

/** Ends the tenant's session and checks that the very next request is refused. */
async function revoked(worker: Worker, tenant: Tenant, agent: Agent, number: number): Promise<void> {
  const { context } = worker;
  const { db, url } = context.target;
  const { session } = tenant;
  await endSession(db, session);
  const { payload } = requestWithData(inputsFor(worker, tenant, number));
  const start = performance.now();
  const answer = await post(url, { agent, token: session.token, payload });
  const verdict = judgeUnauthenticated(answer, { owners: context.owners, allowed: allowedSince(context, start) });
  tenant.session = await newSession(db, tenant.id);
  context.report.faults.add('session ended');
  record(worker, { ...verdict, number, who: tenant.name, kind: 'with an ended session', payload, answer });
}

interface RequestRecord {
  readonly number: number;
  readonly who: string;
  readonly kind: string;
  readonly payload: Buffer;
  readonly answer: Answer | NoAnswer;
  readonly label: string;
  readonly problem?: string | undefined;
  readonly foreign: readonly string[];
}

/** Counts a request and fails the run if its answer has a problem. */
function record(
  { context }: Worker,
  { number, who, kind, payload, answer, label, problem, foreign }: RequestRecord,
): void {
  const { report, scenario } = context;
  report.requests++;
  report.kinds.add(kind);
  report.outcomes.add(label);
  report.faultScenarios.add(scenario.name);
  if (answer === 'hung') report.hung++;
  if (foreign.length > 0) report.foreignRows++;
  const sent = shorten(payload.toString('utf8'));
  const received = typeof answer === 'string' ? answer : `${answer.status} ${shorten(answer.text)}`;
  const failure = { request: number, who: `${who}, ${kind}`, sent, received };
  if (foreign.length > 0)
    fail(context, { ...failure, leak: true, what: `the answer shows data of another tenant: ${foreign.join(', ')}` });
  else if (problem) fail(context, { ...failure, leak: false, what: problem });
}
