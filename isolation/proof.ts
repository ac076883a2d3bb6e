import type { Attempt } from './attempt.ts';
import type { Control } from './controls.ts';
import type { Verdict } from './mutants/mutant.ts';
import type { NotJudged } from './notJudged.ts';

/** The results of a run. */
export interface Proof {
  /** The database's name for display; never contains a password. */
  readonly database: string;
  readonly seed: number;
  /** The command that repeats the run. */
  readonly repeat: string;
  readonly startedAt: Date;
  readonly seconds: number;
  /** The attacked tables, views and functions. */
  readonly tables: readonly string[];
  readonly attempts: readonly Attempt[];
  readonly controls: readonly Control[];
  /** The owner of each table's rows and the evidence, by table. */
  readonly owners: Readonly<Record<string, string>>;
  /** Reasons why the run proves nothing although no attack leaked, one sentence each. */
  readonly unproven: readonly string[];
  /** Omissions with their reasons. They do not affect the verdict. */
  readonly notJudged: readonly NotJudged[];
  /** Undefined if the run made no mutants. */
  readonly mutants: readonly Verdict[] | undefined;
}

export const leaksOf = ({ attempts }: Pick<Proof, 'attempts'>) =>
  attempts.filter(({ outcome }) => outcome === 'leaked');

/**
 * Groups leaks that one fault explains: same table, operation, path and kind of evidence. In each group, leaks that
 * show a row come before leaks that show only a difference.
 */
export function groupLeaks(leaks: readonly Attempt[]): Attempt[][] {
  const isTelling = ({ evidence = '' }: Attempt) => Number(/ saw | wrote to /.test(evidence));
  const kind = ({ evidence = '' }: Attempt) =>
    / (saw|wrote to|can tell|depends on|expects|changed) /.exec(evidence)?.[1];
  const groups = Map.groupBy(leaks, (leak) => JSON.stringify([leak.table, leak.operation, leak.path, kind(leak)]));
  return [...groups.values()].map((found) => found.sort((one, other) => isTelling(other) - isTelling(one)));
}

/** 0: proven. 1: an attack leaked or a mutant survived. 2: not proven. */
export function exitCodeOf(proof: Proof): 0 | 1 | 2 {
  if (leaksOf(proof).length > 0 || proof.mutants?.some(({ outcome }) => outcome === 'survived')) return 1;
  // A refusal is evidence only if a control works.
  return proof.unproven.length > 0 || !proof.controls.some(({ works }) => works) ? 2 : 0;
}
