import type { Threshold } from '../thresholds.ts';
import { attacks } from './attacks.ts';
import type { NoisyRow } from './summary.ts';

/** Maximum ratios of the bystander's times during a flood to its times alone. */
const maxRatio = { p50: 3, p99: 5 } as const;

/** Compares Hedgerow's bystander with the thresholds: the slowdown of its list, and no errors. */
export function compareNoisyWithThresholds(rows: readonly NoisyRow[]): Threshold[] {
  return rows
    .filter(({ candidate }) => candidate === 'hedgerow')
    .flatMap((row) => {
      const what = `a list during a flood of ${attacks[row.attack].title}`;
      const errors = Object.values(row.errors).reduce((sum, count) => sum + count, row.error ? 1 : 0);
      return [
        ...(['p50', 'p99'] as const).map((of) => ({
          what: `${what}, ${of} to that alone`,
          goal: `at most ${maxRatio[of].toFixed(1)} ×`,
          found: row[of],
          reached: Number.isNaN(row[of].median) ? undefined : row[of].median <= maxRatio[of],
        })),
        {
          what: `${what}, errors`,
          goal: 'none',
          found: { median: errors, min: errors, max: errors },
          reached: errors === 0,
        },
      ];
    });
}
