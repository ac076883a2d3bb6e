import { killBackends } from '../../isolation/interleaving/backends.ts';
import { checkpoint } from './checkpoint.ts';
import { type Context, fail } from './context.ts';
import { type FaultScenario, warmingUp } from './faultScenarios.ts';
import { faults } from './faults.ts';
import { Owners } from './foreign.ts';
import { drawing, type Random, randomFrom } from './random.ts';
import type { Report } from './report.ts';
import { Stalls } from './stalls.ts';
import { leavings, subscriberLane } from './subscriber.ts';
import type { Target } from './target.ts';
import { createTenant, renewTokens, strangersTokens } from './tenant.ts';
import { shortenLimits } from './troubles.ts';
import type { Outside } from './work.ts';
import { alongsideLane, strangerLane, tenantLane } from './workers.ts';

export interface RunOptions {
  /** Continued, where it has something in it from another run. */
  readonly report: Report;
  /** At least so many, and every weather at least once. */
  readonly requests: number;
  readonly faultScenarios: readonly FaultScenario[];
  /** Called after each round; false ends the run. */
  readonly goOn?: () => boolean;
}

const tenantCount = 8;

/** Sends requests of tenants and strangers to `target` in all fault scenarios, until there are enough or something is wrong. */
export async function runLeakTest(target: Target, options: RunOptions): Promise<void> {
  const { report } = options;
  const enough = report.requests + options.requests;
  const stalls = new Stalls(target.db);
  const context = await prepare(target, report, stalls);
  const unexpected = (error: unknown) => {
    report.unhandled++;
    const received = error instanceof Error ? `${error.stack}` : String(error);
    const failure = { what: 'an error that nobody handled', request: report.requests, who: 'the process', sent: '' };
    fail(context, { ...failure, leak: false, received });
  };
  process.on('unhandledRejection', unexpected).on('uncaughtException', unexpected);
  try {
    let left = options.faultScenarios.length + 1;
    for (const weather of forecast(options)) {
      await round(context, weather, randomFrom(report.seed + report.rounds * 7919));
      report.longestStall = Math.max(report.longestStall, stalls.longest);
      const goOn = options.goOn?.() ?? true;
      left--;
      if (!goOn || context.halted || (report.requests >= enough && left <= 0)) break;
    }
    countShared(context);
  } finally {
    process.off('unhandledRejection', unexpected).off('uncaughtException', unexpected);
    stalls.stop();
  }
}

async function prepare(target: Target, report: Report, stalls: Stalls): Promise<Context> {
  const { db } = target;
  const owners = new Owners();
  const names = Array.from({ length: tenantCount }, (_, index) => `tenant${index}`);
  const tenants = await Promise.all(names.map((name) => createTenant(db, owners, name)));
  const strangers = await strangersTokens(target);
  // New connections have the short limits.
  await shortenLimits(db);
  await killBackends(db);
  return {
    ...{ target, owners, tenants, strangers, report, stalls, faults: drawing(randomFrom(report.seed), faults) },
    ...{ weather: warmingUp, timeouts: 0, halted: false },
  };
}

/** Where nothing is shared, nothing was found out about sharing. */
function countShared(context: Context): void {
  const { report, target } = context;
  const { pipelined: shared, bypassed: apart } = target.counts;
  report.shared += shared;
  report.apart += apart;
  if (shared > 0 || !target.direct || context.halted) return;
  const what = 'no transaction shared a write with another';
  fail(context, { leak: false, what, request: report.requests, who: 'the run', sent: '', received: '' });
}

/** Every weather comes once before any comes again. */
function* forecast({ report: { seed }, faultScenarios }: RunOptions): Generator<FaultScenario> {
  yield warmingUp;
  yield* drawing(randomFrom(seed), faultScenarios);
}

async function round(context: Context, weather: FaultScenario, random: Random): Promise<void> {
  const { report, tenants, target } = context;
  context.weather = weather;
  context.timeouts = 0;
  renewTokens(tenants);
  const first = report.requests + 1;
  let given = 0;
  const next = () => (context.halted || given >= weather.size ? undefined : first + given++);
  const lane = () => ({ context, random: randomFrom(random() * 2 ** 32), next });
  const lanes = [
    ...tenants.map((tenant) => tenantLane(lane(), tenant)),
    ...[alongsideLane, alongsideLane].map((start) => start(lane())),
    ...[strangerLane, strangerLane, strangerLane, strangerLane].map((start) => start(lane())),
  ];
  let over = false;
  const outside: Outside = {
    ...{ db: target.db, random: randomFrom(random() * 2 ** 32), over: () => over },
    did: (fault, times) => report.faults.add(fault, times),
  };
  const happening = weather.outside?.(outside);
  const listening = (target.strict ? leavings : []).map((leaving) =>
    subscriberLane(context, leaving, randomFrom(random() * 2 ** 32), () => over),
  );
  await Promise.all(lanes);
  over = true;
  await happening;
  await Promise.all(listening);
  if (!context.halted) await checkpoint(context);
  report.rounds++;
}
