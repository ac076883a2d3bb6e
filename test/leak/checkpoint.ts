import { setTimeout as sleep } from 'node:timers/promises';
import { post } from '../../isolation/http/post.ts';
import { busyBackends } from '../../isolation/interleaving/backends.ts';
import { type Context, fail } from './context.ts';
import type { Row } from './expectedRows.ts';
import { checkState, probe } from './probe.ts';
import type { ConnectionState } from './target.ts';
import { newAgent } from './tenant.ts';
import { payload } from './testRequest.ts';

/** Checks the server, its connections and the stored rows between two rounds, while no request runs. */
export async function checkpoint(context: Context): Promise<void> {
  checkTimeouts(context);
  await checkBackendsIdle(context);
  await checkServing(context);
  await checkConnections(context);
  await checkRows(context);
}

function reportProblem(context: Context, what: string, received: unknown): void {
  const { report } = context;
  const failure = {
    what,
    request: report.requests,
    who: 'the checks after the round',
    sent: '',
    received: JSON.stringify(received),
  };
  fail(context, { ...failure, leak: false });
}

/**
 * Reports a round in which most requests were late, because a lost answer ends as a timeout. On a slow machine many are:
 * the server retries a read whose connection was killed, and the retry waits for a connection again.
 */
function checkTimeouts(context: Context): void {
  const { scenario, timeouts } = context;
  const limit = scenario.requestCount * 0.75;
  if (timeouts > limit) reportProblem(context, `${timeouts} timeouts in ${scenario.requestCount} requests`, timeouts);
}

/** Longest wait for the server and its backends to recover from a round, in ms: far above any timeout of the run. */
const recoveryLimitMs = 30_000;

/** Waits until all backends are idle. Statements of a client that left may run until statement_timeout. */
async function checkBackendsIdle(context: Context): Promise<void> {
  const until = performance.now() + recoveryLimitMs;
  for (;;) {
    const busy = await busyBackends(context.target.db);
    if (busy.length === 0) return;
    if (performance.now() > until) return reportProblem(context, 'backends are not idle', busy);
    await sleep(5);
  }
}

/** Reports a tenant to whom the server does not answer after the faults of the round are over. */
async function checkServing(context: Context): Promise<void> {
  const { target, tenants } = context;
  const agent = newAgent();
  const until = performance.now() + recoveryLimitMs;
  for (const { session, name } of tenants) {
    for (;;) {
      const request = { agent, token: session.token, payload: payload('{ currentUser { username } }') };
      const answer = await post(target.url, request);
      if (typeof answer !== 'string' && answer.body?.data?.currentUser?.username === name) break;
      if (performance.now() > until) {
        reportProblem(context, `the server does not answer ${name} after the round`, answer);
        break;
      }
      await sleep(20);
    }
  }
  agent.destroy();
}

/** Probes every pooled connection. No request runs, so concurrent probes reach one connection each. */
async function checkConnections(context: Context): Promise<void> {
  const { target, report } = context;
  const missed = (states: readonly (ConnectionState | undefined)[]) =>
    target.direct && new Set(states.map((state) => state?.pid)).size !== target.poolSize;
  // Retry, because the first use of a connection that was killed while idle fails. A probe may also get a connection
  // that another probe returned before its own was open.
  let states = await probe(target);
  for (let retry = 0; retry < 3 && (states.includes(undefined) || missed(states)); retry++)
    states = await probe(target);
  report.probes += states.length;
  for (const state of states) {
    const problem = state ? checkState(state) : 'the database did not answer a probe';
    if (problem) reportProblem(context, problem, state);
  }
  if (missed(states)) reportProblem(context, 'the probes missed a connection', states);
}

/** Compares the stored rows of each tenant with the acknowledged changes. */
async function checkRows(context: Context): Promise<void> {
  const { target, tenants } = context;
  const rows = await target.db.asAdmin<Row & { tenant: string }>(
    'select user_id as tenant, id as "rowId", title from app_public.todos',
  );
  const byTenant = Map.groupBy(rows, ({ tenant }) => tenant);
  for (const { id, name, expected } of tenants) {
    const problem = expected.settle(byTenant.get(id) ?? []);
    if (problem) reportProblem(context, `${name}'s rows, read by the superuser: ${problem}`, byTenant.get(id));
  }
}
