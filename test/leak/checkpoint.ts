import { setTimeout as sleep } from 'node:timers/promises';
import { post } from '../../isolation/http/post.ts';
import { busyBackends } from '../../isolation/interleaving/backends.ts';
import { type Context, fail } from './context.ts';
import type { Row } from './expectedRows.ts';
import { checkState, probe } from './probe.ts';
import type { ConnectionState } from './target.ts';
import { newAgent } from './tenant.ts';
import { payload } from './testRequest.ts';

/** Between two rounds, while nothing is asked for: is everything as it must be, and does the server serve? */
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
    who: 'after the round',
    sent: '',
    received: JSON.stringify(received),
  };
  fail(context, { ...failure, leak: false });
}

/**
 * A request that waits for an answer that never comes ends with a time-out, so there must not be many. Some there are on a
 * slow machine: a read whose connection was killed is sent again, and then waits for a connection a second time.
 */
function checkTimeouts(context: Context): void {
  const { scenario, timeouts } = context;
  const most = scenario.requestCount * 0.25;
  if (timeouts > most) reportProblem(context, `${timeouts} time-outs in ${scenario.requestCount} requests`, timeouts);
}

/** What a client has left behind may still run for a moment, but not for longer than statement_timeout. */
async function checkBackendsIdle(context: Context): Promise<void> {
  const until = performance.now() + 3000;
  for (;;) {
    const busy = await busyBackends(context.target.db);
    if (busy.length === 0) return;
    if (performance.now() > until) return reportProblem(context, 'backends are not idle', busy);
    await sleep(5);
  }
}

/** Whatever has happened to the database: now it is there, and the first answer comes within a second or so. */
async function checkServing(context: Context): Promise<void> {
  const { target, tenants } = context;
  const agent = newAgent();
  const start = performance.now();
  for (const { session, name } of tenants.slice(0, 1)) {
    for (;;) {
      const request = { agent, token: session.token, payload: payload('{ currentUser { username } }') };
      const answer = await post(target.url, request);
      if (typeof answer !== 'string' && answer.body?.data?.currentUser?.username === name) break;
      if (performance.now() - start > 2000) {
        reportProblem(context, 'it does not serve again', answer);
        break;
      }
      await sleep(20);
    }
  }
  agent.destroy();
}

/** With nobody else there, as many probes at once as there are connections reach every one of them. */
async function checkConnections(context: Context): Promise<void> {
  const { target, report } = context;
  const missed = (states: readonly (ConnectionState | undefined)[]) =>
    target.direct && new Set(states.map((state) => state?.pid)).size !== target.poolSize;
  // A connection that was killed while it was idle is found out by anyone who uses it; and one that is opened for a probe
  // may come later than another that has become free.
  let states = await probe(target);
  for (let again = 0; again < 3 && (states.includes(undefined) || missed(states)); again++)
    states = await probe(target);
  report.probes += states.length;
  for (const state of states) {
    const problem = state ? checkState(state) : 'the database did not answer a probe';
    if (problem) reportProblem(context, problem, state);
  }
  if (missed(states)) reportProblem(context, 'the probes missed a connection', states);
}

/** What is really there, by tenant, is what was acknowledged. */
async function checkRows(context: Context): Promise<void> {
  const { target, tenants } = context;
  const rows = await target.db.asAdmin<Row & { tenant: string }>(
    'select user_id as tenant, id as "rowId", title from app_public.todos',
  );
  const byTenant = Map.groupBy(rows, ({ tenant }) => tenant);
  for (const { id, name, expected } of tenants) {
    const problem = expected.settle(byTenant.get(id) ?? []);
    if (problem) reportProblem(context, `${name}'s rows, read as the superuser: ${problem}`, byTenant.get(id));
  }
}
