import type { Attempt } from './attempt.ts';
import type { Control } from './controls.ts';
import type { Verdict } from './mutants/mutant.ts';
import type { NotJudged } from './notJudged.ts';

/** What a run has found. */
export interface Proof {
  /** The database, as a person calls it; never with a password. */
  readonly database: string;
  readonly seed: number;
  /** The command that does the same again. */
  readonly repeat: string;
  readonly startedAt: Date;
  readonly seconds: number;
  /** Tables, views and functions that were attacked. */
  readonly tables: readonly string[];
  readonly attempts: readonly Attempt[];
  readonly controls: readonly Control[];
  /** Whose each table's rows were taken to be, and why. */
  readonly owners: Readonly<Record<string, string>>;
  /** Why nothing is proven, a sentence each, although nothing leaked. */
  readonly unproven: readonly string[];
  /** Omissions with their reasons. They are not proven, and do not change the verdict on the rest. */
  readonly notJudged: readonly NotJudged[];
  /** Undefined where no mutants were made. */
  readonly mutants: readonly Verdict[] | undefined;
}

export const leaksOf = ({ attempts }: Pick<Proof, 'attempts'>) =>
  attempts.filter(({ outcome }) => outcome === 'leaked');

/**
 * Leaks of one kind on one table, which one fault lets through, the most telling first: one that shows a row before one
 * that shows a difference.
 */
export function groupLeaks(leaks: readonly Attempt[]): Attempt[][] {
  const isTelling = ({ evidence = '' }: Attempt) => Number(/ saw | wrote to /.test(evidence));
  const kind = ({ evidence = '' }: Attempt) =>
    / (saw|wrote to|can tell|depends on|expects|changed) /.exec(evidence)?.[1];
  const groups = Map.groupBy(leaks, (leak) => JSON.stringify([leak.table, leak.operation, leak.path, kind(leak)]));
  return [...groups.values()].map((found) => found.sort((one, other) => isTelling(other) - isTelling(one)));
}

/** 0 proven, 1 a leak or a mutant that nothing caught, 2 not proven. */
export function exitCodeOf(proof: Proof): 0 | 1 | 2 {
  if (leaksOf(proof).length > 0 || proof.mutants?.some(({ outcome }) => outcome === 'survived')) return 1;
  // Without a control that works, a refusal shows nothing.
  return proof.unproven.length > 0 || !proof.controls.some(({ works }) => works) ? 2 : 0;
}
