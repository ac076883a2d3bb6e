import type { Candidate } from './candidate.ts';
import type { Series } from './measure.ts';
import type { NoisySeries } from './noisy/measureNoisy.ts';
import type { NoisyRow } from './noisy/summary.ts';
import type { Options } from './options.ts';
import type { RevocationCost } from './revocation.ts';
import type { StartupTimes } from './startup.ts';
import type { Row, Threshold } from './statistics.ts';

/** All that a run has shown; what `--json` writes. */
export interface Results {
  readonly when: string;
  readonly machine: string;
  readonly node: string;
  readonly postgres: string;
  readonly options: Options;
  readonly candidates: readonly Pick<Candidate, 'name' | 'title' | 'rows'>[];
  /** Medians and ratios, as they stand in the table. */
  readonly rows: readonly Row[];
  /** Every turn of everybody. */
  readonly series: readonly Series[];
  /** A bystander beside another tenant's flood. */
  readonly noisy?: { readonly rows: readonly NoisyRow[]; readonly series: readonly NoisySeries[] };
  readonly marks?: readonly Threshold[];
  readonly revocation?: RevocationCost;
  readonly startup?: StartupTimes;
  /** What was left out, and why. */
  readonly notes: readonly string[];
}
