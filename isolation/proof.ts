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

/** Severities of leaks, worst first, each with the words of its evidence. */
const severities = [
  / saw | was shown | received /,
  / wrote to | changed | became /,
  / can tell | depends on | expects | different answer /,
];

const severityOf = ({ evidence = '' }: Attempt) => {
  const at = severities.findIndex((words) => words.test(evidence));
  return at < 0 ? severities.length : at;
};

/**
 * Groups leaks that one fault explains: same table, operation, path and severity. Data that was read comes first, then data
 * that was written, then existence that can be told. What only tells that rows exist adds nothing where the same path reads
 * them, so it joins that group.
 */
export function groupLeaks(leaks: readonly Attempt[]): Attempt[][] {
  const isRead = (leak: Attempt) => severityOf(leak) === 0;
  const readBy = Map.groupBy(leaks.filter(isRead), ({ table, path }) => JSON.stringify([table, path]));
  const keyOf = (leak: Attempt) => {
    const { table, operation, path } = leak;
    const [first] = readBy.get(JSON.stringify([table, path])) ?? [];
    const isImplied = severityOf(leak) >= 2 && first !== undefined;
    return JSON.stringify([table, path, isImplied ? [first?.operation, 0] : [operation, severityOf(leak)]]);
  };
  return [...Map.groupBy(leaks, keyOf).values()]
    .map((found) => found.sort((one, other) => severityOf(one) - severityOf(other)))
    .sort(([one], [other]) => severityOf(one as Attempt) - severityOf(other as Attempt));
}

/** 0: proven. 1: an attack leaked or a mutant survived. 2: not proven. */
export function exitCodeOf(proof: Proof): 0 | 1 | 2 {
  if (leaksOf(proof).length > 0 || proof.mutants?.some(({ outcome }) => outcome === 'survived')) return 1;
  // A refusal is evidence only if a control works.
  return proof.unproven.length > 0 || !proof.controls.some(({ works }) => works) ? 2 : 0;
}
