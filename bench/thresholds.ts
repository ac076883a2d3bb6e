import type { Series } from './measure.ts';
import { baselineName, handWritten, handWrittenOneTrip, handWrittenSameTokens, stock } from './peers.ts';
import type { StartupTimes } from './startup.ts';
import { find, ratio, type Spread } from './statistics.ts';
import { type WorkloadName, workloadNames } from './workloads.ts';

/** The comparison of one figure with its threshold. */
export interface Threshold {
  readonly what: string;
  readonly goal: string;
  readonly found: Spread;
  /** Undefined if the figure was not measured in this run. */
  readonly reached: boolean | undefined;
}

/** Todos of the small database, which a larger one is compared with. */
export const smallRows = 100_000;

/** Name of the candidate Hedgerow on the small database. */
export const onSmallDatabase = 'hedgerow-small';

/** Minimum of Hedgerow's requests per second, as a ratio to each peer. */
const minimumRatios: readonly { readonly peer: string; readonly title: string; readonly ratios: MinimumRatios }[] = [
  { peer: handWritten, title: 'Express + pg by hand, 4 round trips', ratios: { list: 1.2, byId: 1.2, create: 1.8 } },
  {
    peer: handWrittenSameTokens,
    title: 'the same with Hedgerow’s token handling',
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

/** Limits of the list's latency on a large database to that on the small one, and of the start-up in seconds. */
const maxLatencyRatio = 1.2;
const maxStartupSeconds = 1;

/** Compares the medians of Hedgerow with the thresholds. */
export function compareWithThresholds(all: readonly Series[], startup: StartupTimes | undefined): Threshold[] {
  const times = (value: number) => `${value.toFixed(1)} ×`;
  const compare = (what: string, goal: string, found: Spread, reached: (median: number) => boolean): Threshold => ({
    what,
    goal,
    found,
    reached: Number.isNaN(found.median) ? undefined : reached(found.median),
  });
  return [
    ...minimumRatios.flatMap(({ peer, title, ratios }) =>
      (Object.entries(ratios) as [WorkloadName, number][]).map(([workload, goal]) => {
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
  ];
}
