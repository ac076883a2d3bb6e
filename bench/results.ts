import type { Candidate } from './candidate.ts';
import type { Series } from './measure.ts';
import type { NoisySeries } from './noisy/measureNoisy.ts';
import type { NoisyRow } from './noisy/summary.ts';
import type { Options } from './options.ts';
import type { RevocationCost } from './revocation.ts';
import type { StartupTimes } from './startup.ts';
import type { Row } from './statistics.ts';
import type { Threshold } from './thresholds.ts';

/** Results of a run, in the format that `--json` writes. */
export interface Results {
  readonly when: string;
  readonly machine: string;
  readonly node: string;
  readonly postgres: string;
  readonly options: Options;
  readonly candidates: readonly Pick<Candidate, 'name' | 'title' | 'rows'>[];
  /** Medians and ratios of the table. */
  readonly rows: readonly Row[];
  /** All turns of all candidates. */
  readonly series: readonly Series[];
  /** The noisy workload: one tenant's list during the flood of another. */
  readonly noisy?: { readonly rows: readonly NoisyRow[]; readonly series: readonly NoisySeries[] };
  /** Comparison with the thresholds. The name of the JSON key predates that term. */
  readonly marks?: readonly Threshold[];
  readonly revocation?: RevocationCost;
  readonly startup?: StartupTimes;
  /** Skipped measurements with the reason. */
  readonly notes: readonly string[];
}
