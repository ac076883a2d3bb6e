import { checkpoint } from './checkpoint.ts';
import { type Context, fail } from './context.ts';
import { Owners } from './foreign.ts';
import { alongsideLane, strangerLane, tenantLane } from './lanes.ts';
import { type Random, randomFrom, shuffled } from './random.ts';
import { Report } from './report.ts';
import { Stalls } from './stalls.ts';
import type { Target } from './target.ts';
import { createTenant, strangersTokens } from './tenant.ts';
import { killBackends, shortenLimits } from './troubles.ts';
import { type Outside, type Weather, warmingUp } from './weather.ts';

export interface RunOptions {
  readonly seed: number;
  /** At least so many. The round in which they are reached is finished. */
  readonly requests: number;
  readonly weathers: readonly Weather[];
  /** Called after each round. */
  readonly progress?: (report: Report) => void;
}

const tenantCount = 8;

/** Sends requests of tenants and strangers to `target` in all weathers, until there are enough or something is wrong. */
export async function runLeakTest(target: Target, options: RunOptions): Promise<Report> {
  const report = new Report(options.seed);
  const stalls = new Stalls();
  const context = await prepare(target, report, stalls);
  const unexpected = (error: unknown) => {
    const received = error instanceof Error ? `${error.stack}` : String(error);
    const failure = { what: 'an error that nobody handled', request: report.requests, who: 'the process', sent: '' };
    fail(context, { ...failure, leak: false, received });
  };
  process.on('unhandledRejection', unexpected).on('uncaughtException', unexpected);
  try {
    for (const weather of forecast(options)) {
      await round(context, weather, randomFrom(options.seed + report.rounds * 7919));
      report.longestStall = stalls.longest;
      options.progress?.(report);
      if (context.halted || report.requests >= options.requests) break;
    }
  } finally {
    process.off('unhandledRejection', unexpected).off('uncaughtException', unexpected);
    stalls.stop();
  }
  return report;
}

async function prepare(target: Target, report: Report, stalls: Stalls): Promise<Context> {
  const { db } = target;
  const owners = new Owners();
  const names = Array.from({ length: tenantCount }, (_, index) => `tenant${index}`);
  const tenants = await Promise.all(names.map((name) => createTenant(db, owners, name)));
  const strangers = await strangersTokens(db);
  // New connections have the short limits.
  await shortenLimits(db);
  await killBackends(db);
  return { target, owners, tenants, strangers, report, stalls, weather: warmingUp, halted: false };
}

/** Every weather comes once before any comes again. */
function* forecast({ seed, weathers }: RunOptions): Generator<Weather> {
  const random = randomFrom(seed);
  yield warmingUp;
  for (;;) yield* shuffled(random, weathers);
}

async function round(context: Context, weather: Weather, random: Random): Promise<void> {
  const { report, tenants, target } = context;
  context.weather = weather;
  const first = report.requests + 1;
  let given = 0;
  const next = () => (context.halted || given >= weather.size ? undefined : first + given++);
  const lane = () => ({ context, random: randomFrom(random() * 2 ** 32), next });
  const lanes = [
    ...tenants.map((tenant) => tenantLane(lane(), tenant)),
    ...[alongsideLane, alongsideLane, strangerLane, strangerLane].map((start) => start(lane())),
  ];
  let over = false;
  const outside: Outside = {
    ...{ db: target.db, random: randomFrom(random() * 2 ** 32), over: () => over },
    did: (fault, times) => report.faults.add(fault, times),
  };
  const happening = weather.outside?.(outside);
  await Promise.all(lanes);
  over = true;
  await happening;
  if (!context.halted) await checkpoint(context);
  report.rounds++;
}
