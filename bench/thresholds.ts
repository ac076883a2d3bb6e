import type { Series } from './measure.ts';
import { compareNoisyWithThresholds } from './noisy/noisyThresholds.ts';
import type { NoisyRow } from './noisy/summary.ts';
import { baselineName, handWritten, handWrittenOneTrip, handWrittenSameTokens, stock } from './peers.ts';
import type { StartupTimes } from './startup.ts';
import { find, ratio, type Spread, type Threshold } from './statistics.ts';
import { type WorkloadName, workloadNames } from './workloads.ts';

/** Rows of the database that a larger one is compared with. */
export const smallRows = 100_000;

/** Hedgerow on the small database, where the others work on a larger one. */
export const onSmallDatabase = 'hedgerow-small';

const minimumRatios: readonly { readonly peer: string; readonly title: string; readonly ratios: MinimumRatios }[] = [
  { peer: handWritten, title: 'Express + pg by hand, 4 round trips', ratios: { list: 1.2, byId: 1.2, create: 1.8 } },
  {
    peer: handWrittenSameTokens,
    title: 'the same with our token handling',
    ratios: { list: 0.9, byId: 0.9, create: 1.2 },
  },
  {
    peer: stock,
    title: 'PostGraphile 5 as documented',
    ratios: Object.fromEntries(workloadNames.map((name) => [name, 2])),
  },
  {
    peer: handWrittenOneTrip,
    title: 'Express + pg by hand, 1 round trip',
    ratios: Object.fromEntries(workloadNames.map((name) => [name, 1])),
  },
  { peer: baselineName, title: 'the baseline', ratios: { list: 0.95, create: 0.95 } },
];
type MinimumRatios = Partial<Record<WorkloadName, number>>;

const maxLatencyRatio = 1.2;
const maxStartupSeconds = 1;

/** Compares what was measured with the marks to reach. Judged by the median. */
export function compareWithThresholds(
  all: readonly Series[],
  startup: StartupTimes | undefined,
  noisy: readonly NoisyRow[] = [],
): Threshold[] {
  const times = (value: number) => `${value.toFixed(1)} ×`;
  const compare = (what: string, goal: string, found: Spread, reached: (median: number) => boolean): Threshold => ({
    what,
    goal,
    found,
    reached: Number.isNaN(found.median) ? undefined : reached(found.median),
  });
  return [
    ...minimumRatios.flatMap(({ peer, title, ratios: marks }) =>
      (Object.entries(marks) as [WorkloadName, number][]).map(([workload, goal]) => {
        const found = ratio(find(all, workload, 'hedgerow'), find(all, workload, peer));
        return compare(`${workload}, to ${title}`, `at least ${times(goal)}`, found, (median) => median >= goal);
      }),
    ),
    compare(
      `list, latency (p50) to that on ${smallRows.toLocaleString('en')} todos`,
      `at most ${times(maxLatencyRatio)}`,
      ratio(find(all, 'list', 'hedgerow'), find(all, 'list', onSmallDatabase), 'p50'),
      (median) => median <= maxLatencyRatio,
    ),
    compare(
      'first answer after the start, beyond Node’s own',
      `at most ${maxStartupSeconds.toFixed(1)} s`,
      startup?.beyondNode ?? { median: Number.NaN, min: Number.NaN, max: Number.NaN },
      (median) => median <= maxStartupSeconds,
    ),
    ...compareNoisyWithThresholds(noisy),
  ];
}
