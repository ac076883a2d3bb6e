import type { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Abort, type Answer, type NoAnswer, post } from '../../isolation/http/post.ts';
import { allowedByScenario, allowedSince, type Context, fail, type Lane, shorten } from './context.ts';
import { judge, judgeStranger } from './judge.ts';
import { probeAfter } from './probe.ts';
import { between, pick, uuidFrom, weighted } from './random.ts';
import { list, read, readAlongside } from './reads.ts';
import { endSession, newAgent, newSession, type Tenant } from './tenant.ts';
import type { Maker, Work } from './work.ts';
import { foreignRow, write } from './writes.ts';

/** One tenant, one request after the other, so that the ledger knows what each of them must find. */
export async function tenantLane(lane: Lane, tenant: Tenant): Promise<void> {
  await eachRequest(lane, async (agent, number) => {
    const { context, random } = lane;
    const { weather, target } = context;
    const maker = makerFor(lane, tenant, number);
    const due = weather.works && number % (weather.every ?? 1) === 0;
    const turn = number / (weather.every ?? 1);
    const special = due ? weather.works[turn % weather.works.length]?.(maker, target.db) : undefined;
    if (!special && weather.name === 'calm' && target.strict && random() < 0.005)
      return revoked(lane, tenant, agent, number);
    const work = special ?? anyWork(context, maker);
    await perform(lane, { agent, number, tenant, work, abort: special ? undefined : maybeAbort(lane) });
  });
}

/** Reads in the names of all tenants, while they are at work themselves. */
export async function alongsideLane(lane: Lane): Promise<void> {
  await eachRequest(lane, async (agent, number) => {
    const tenant = pick(lane.random, lane.context.tenants);
    const work = readAlongside(makerFor(lane, tenant, number));
    await perform(lane, { agent, number, tenant, work, abort: maybeAbort(lane) });
  });
}

/** Nobody: without a token, or with one that is good for nothing. Their questions would show rows if they could. */
export async function strangerLane(lane: Lane): Promise<void> {
  await eachRequest(lane, async (agent, number) => {
    const { context, random } = lane;
    const [who, token] = pick(random, context.strangers);
    const { payload } = goodWork(makerFor(lane, pick(random, context.tenants), number));
    const start = performance.now();
    const answer = await post(context.target.url, { agent, token, payload, abort: maybeAbort(lane) });
    const verdict = judgeStranger(answer, { owners: context.owners, allowed: allowedSince(context, start) });
    note(lane, { number, who: `a stranger (${who})`, kind: `stranger: ${who}`, payload, answer, ...verdict });
    // They are answered even where tenants wait for the database, and shall not use up the round.
    if (context.weather.allows.length > 0) await sleep(5);
  });
}

async function eachRequest(lane: Lane, one: (agent: Agent, number: number) => Promise<void>): Promise<void> {
  const agent = newAgent();
  for (let number = lane.next(); number !== undefined; number = lane.next()) {
    await one(agent, number);
    await probeAfter(lane.context, number);
  }
  agent.destroy();
}

function makerFor({ context, random }: Lane, tenant: Tenant, number: number): Maker {
  const others = context.tenants.filter((other) => other !== tenant);
  const newId = () => {
    const id = uuidFrom(random);
    context.owners.note(id, tenant.name);
    return id;
  };
  return { random, tenant, others, number, newId };
}

function anyWork({ faults }: Context, maker: Maker): Work {
  return weighted(maker.random, [
    [40, read],
    [35, write],
    [8, foreignRow],
    [17, (own: Maker) => faults.next().value(own)],
  ])(maker);
}

/** What its tenant would be answered with data. */
function goodWork(maker: Maker): Work {
  return weighted(maker.random, [
    [4, list],
    [2, read],
    [2, write],
  ])(maker);
}

function maybeAbort({ random, context }: Lane): Abort | undefined {
  if (random() > 0.05) return undefined;
  const when = pick(random, ['before', 'during', 'during', 'after'] as const);
  context.report.faults.add(`socket aborted ${when} the answer`);
  return { when, milliseconds: between(random, 0, 6) };
}

interface Performed {
  readonly agent: Agent;
  readonly number: number;
  readonly tenant: Tenant;
  readonly work: Work;
  readonly abort?: Abort | undefined;
}

async function perform(lane: Lane, { agent, number, tenant, work, abort }: Performed): Promise<void> {
  const { context } = lane;
  const { session } = tenant;
  const clear = await work.before?.();
  const start = performance.now();
  const answer = await post(context.target.url, { agent, token: session.token, payload: work.payload, abort });
  await clear?.();
  const judged = (codes: readonly string[]) => {
    const allowed = [...codes, ...(session.ended ? ['UNAUTHENTICATED'] : [])];
    return judge(answer, work, { tenant: tenant.name, owners: context.owners, allowed });
  };
  const verdict = judged(allowedSince(context, start));
  if (!verdict.complaint && judged(allowedByScenario(context)).complaint) context.report.excused++;
  // Half a body cannot have been understood.
  const outcome = answer === 'aborted' && abort?.when === 'before' ? 'not done' : verdict.outcome;
  work.settle?.(outcome, typeof answer === 'string' ? undefined : answer);
  noteFault(context, work, verdict.label);
  if (context.weather.fewTimeouts && verdict.label.includes('TIMEOUT') && !work.codes?.includes('TIMEOUT'))
    context.timeouts++;
  note(lane, { ...verdict, number, who: tenant.name, kind: work.kind, payload: work.payload, answer });
}

/** What was provoked counts where the answer shows that it has come. */
function noteFault({ report, weather }: Context, { kind, codes, faultWithData }: Work, label: string): void {
  if (codes?.some((code) => label.includes(code)) || (faultWithData && label === 'data')) report.faults.add(kind);
  if (weather.shows && label === weather.shows) report.faults.add(weather.name);
}

/** A session that was ended is good for nothing from the very next request on. */
async function revoked(lane: Lane, tenant: Tenant, agent: Agent, number: number): Promise<void> {
  const { context } = lane;
  const { db, url } = context.target;
  const { session } = tenant;
  await endSession(db, session);
  const { payload } = goodWork(makerFor(lane, tenant, number));
  const start = performance.now();
  const answer = await post(url, { agent, token: session.token, payload });
  const verdict = judgeStranger(answer, { owners: context.owners, allowed: allowedSince(context, start) });
  tenant.session = await newSession(db, tenant.id);
  context.report.faults.add('session ended');
  note(lane, { ...verdict, number, who: tenant.name, kind: 'with a session that was just ended', payload, answer });
}

interface Noted {
  readonly number: number;
  readonly who: string;
  readonly kind: string;
  readonly payload: Buffer;
  readonly answer: Answer | NoAnswer;
  readonly label: string;
  readonly complaint?: string | undefined;
  readonly foreign: readonly string[];
}

/** Counts a request, and says what is wrong with its answer. */
function note({ context }: Lane, { number, who, kind, payload, answer, label, complaint, foreign }: Noted): void {
  const { report, weather } = context;
  report.requests++;
  report.kinds.add(kind);
  report.outcomes.add(label);
  report.faultScenarios.add(weather.name);
  if (answer === 'hung') report.hung++;
  if (foreign.length > 0) report.foreignRows++;
  const sent = shorten(payload.toString('utf8'));
  const received = typeof answer === 'string' ? answer : `${answer.status} ${shorten(answer.text)}`;
  const failure = { request: number, who: `${who}, ${kind}`, sent, received };
  if (foreign.length > 0)
    fail(context, { ...failure, leak: true, what: `it shows what is another's: ${foreign.join(', ')}` });
  else if (complaint) fail(context, { ...failure, leak: false, what: complaint });
}
