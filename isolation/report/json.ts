import { leaksOf, type Proof } from '../proof.ts';

/** The machine-readable report. Within a version, keys may be added, but existing keys keep their meaning. */
export function jsonReport(proof: Proof): object {
  const { seed, tables, attempts, controls, owners, unproven, notJudged, mutants = [], database, seconds } = proof;
  const count = (outcome: string) => mutants.filter((mutant) => mutant.outcome === outcome).length;
  return {
    version: 1,
    seed,
    database,
    seconds,
    tables,
    attacks: attempts.length,
    leaks: leaksOf(proof).map(({ table, operation, path, attack, statement, evidence }) => ({
      table,
      operation,
      path,
      attack,
      statement,
      evidence,
    })),
    mutants: {
      total: mutants.length,
      killed: count('killed'),
      survived: count('survived'),
      equivalent: count('equivalent'),
    },
    owners,
    unproven,
    notJudged,
    controls: controls.filter(({ works }) => !works),
  };
}
