import type { Contender } from './contender.ts';
import type { Mark } from './marks.ts';
import type { Series } from './measure.ts';
import type { Options } from './options.ts';
import type { RevocationCost } from './revocation.ts';
import type { StartupTimes } from './startup.ts';
import type { Row } from './statistics.ts';

/** All that a run has shown; what `--json` writes. */
export interface Results {
  readonly when: string;
  readonly machine: string;
  readonly node: string;
  readonly postgres: string;
  readonly options: Options;
  readonly contenders: readonly Pick<Contender, 'name' | 'title' | 'rows'>[];
  /** Medians and ratios, as they stand in the table. */
  readonly rows: readonly Row[];
  /** Every turn of everybody. */
  readonly series: readonly Series[];
  readonly marks?: readonly Mark[];
  readonly revocation?: RevocationCost;
  readonly startup?: StartupTimes;
  /** What was left out, and why. */
  readonly notes: readonly string[];
}
