import { killBackends } from '../../isolation/interleaving/backends.ts';
import { checkpoint } from './checkpoint.ts';
import { type Context, fail } from './context.ts';
import { shortenLimits } from './faultFunctions.ts';
import { type FaultScenario, warmingUp } from './faultScenarios.ts';
import { faults } from './faults.ts';
import { Owners } from './foreign.ts';
import { type Random, randomFrom, shuffleForever } from './random.ts';
import type { Report } from './report.ts';
import { StallDetector } from './stallDetector.ts';
import { disconnections, subscriberWorker } from './subscriber.ts';
import type { Target } from './target.ts';
import { createInvalidTokens, createTenant, renewTokens } from './tenant.ts';
import type { FaultInjection } from './testRequest.ts';
import { concurrentReadWorker, tenantWorker, unauthenticatedWorker } from './workers.ts';

export interface RunOptions {
  /** Counts of an earlier run are continued. */
  readonly report: Report;
  /** Minimum number of requests. Every fault scenario runs at least once. */
  readonly requests: number;
  readonly faultScenarios: readonly FaultScenario[];
  /** Called after each round; false ends the run. */
  readonly shouldContinue?: () => boolean;
}

const tenantCount = 8;

/**
 * Sends requests of tenants and unauthenticated clients to `target` in rounds, one fault scenario each. Workers send
 * the requests of a round concurrently; a checkpoint follows when all have ended. The run ends after enough requests or
 * at the first failure.
 */
export async function runLeakTest(target: Target, options: RunOptions): Promise<void> {
  const { report } = options;
  const enough = report.requests + options.requests;
  const stallDetector = new StallDetector(target.db);
  const context = await prepare(target, report, stallDetector);
  const onUnhandled = (error: unknown) => {
    report.unhandled++;
    const received = error instanceof Error ? `${error.stack}` : String(error);
    const failure = { what: 'an unhandled error', request: report.requests, who: 'the process', sent: '' };
    fail(context, { ...failure, leak: false, received });
  };
  process.on('unhandledRejection', onUnhandled).on('uncaughtException', onUnhandled);
  try {
    let left = options.faultScenarios.length + 1;
    for (const scenario of scenarioOrder(options)) {
      await round(context, scenario, randomFrom(report.seed + report.rounds * 7919));
      report.longestStall = Math.max(report.longestStall, stallDetector.longest);
      const shouldContinue = options.shouldContinue?.() ?? true;
      left--;
      if (!shouldContinue || context.halted || (report.requests >= enough && left <= 0)) break;
    }
    countPipelined(context);
  } finally {
    process.off('unhandledRejection', onUnhandled).off('uncaughtException', onUnhandled);
    stallDetector.stop();
  }
}

async function prepare(target: Target, report: Report, stallDetector: StallDetector): Promise<Context> {
  const { db } = target;
  const owners = new Owners();
  const names = Array.from({ length: tenantCount }, (_, index) => `tenant${index}`);
  const tenants = await Promise.all(names.map((name) => createTenant(db, owners, name)));
  const invalidTokens = await createInvalidTokens(target);
  // Kill the open connections: only new ones get the short limits.
  await shortenLimits(db);
  await killBackends(db);
  return {
    target,
    owners,
    tenants,
    invalidTokens,
    report,
    stallDetector,
    faults: shuffleForever(randomFrom(report.seed), faults),
    scenario: warmingUp,
    timeouts: 0,
    halted: false,
  };
}

/** Counts pipelined transactions. A run without any has not tested pipelining and fails. */
function countPipelined(context: Context): void {
  const { report, target } = context;
  const { pipelined, bypassed } = target.counts;
  report.pipelined += pipelined;
  report.bypassed += bypassed;
  if (pipelined > 0 || !target.direct || context.halted) return;
  const what = 'no transaction ran pipelined';
  fail(context, { leak: false, what, request: report.requests, who: 'the run', sent: '', received: '' });
}

/** Yields every fault scenario once before any repeats. */
function* scenarioOrder({ report: { seed }, faultScenarios }: RunOptions): Generator<FaultScenario> {
  yield warmingUp;
  yield* shuffleForever(randomFrom(seed), faultScenarios);
}

async function round(context: Context, scenario: FaultScenario, random: Random): Promise<void> {
  const { report, tenants, target } = context;
  context.scenario = scenario;
  context.timeouts = 0;
  renewTokens(tenants);
  const first = report.requests + 1;
  let given = 0;
  const next = () => (context.halted || given >= scenario.requestCount ? undefined : first + given++);
  const newWorker = () => ({ context, random: randomFrom(random() * 2 ** 32), next });
  const workers = [
    ...tenants.map((tenant) => tenantWorker(newWorker(), tenant)),
    ...[concurrentReadWorker, concurrentReadWorker].map((start) => start(newWorker())),
    ...[unauthenticatedWorker, unauthenticatedWorker, unauthenticatedWorker, unauthenticatedWorker].map((start) =>
      start(newWorker()),
    ),
  ];
  let over = false;
  const injection: FaultInjection = {
    db: target.db,
    random: randomFrom(random() * 2 ** 32),
    roundIsOver: () => over,
    count: (fault, times) => report.faults.add(fault, times),
  };
  const injecting = scenario.inject?.(injection);
  const subscribers = (target.strict ? disconnections : []).map((disconnection) =>
    subscriberWorker(context, disconnection, randomFrom(random() * 2 ** 32), () => over),
  );
  await Promise.all(workers);
  over = true;
  await injecting;
  await Promise.all(subscribers);
  if (!context.halted) await checkpoint(context);
  report.rounds++;
}
