import type { ProveSqlOptions } from '../proveSql.ts';
import type { TargetDatabase } from '../targetDatabase.ts';
import type { Verdict } from './mutant.ts';
import { proveMutants } from './proveMutants.ts';

/** How many databases mutants are made in at once. Most of the time is Postgres', which has a process for each. */
const lanes = 2;

/**
 * Copies the ground, which has no rows of the cast yet, and begins to make mutants in the copies.
 *
 * @returns once the copies are there, so that the ground may be filled; the verdicts come later.
 */
export async function startMutants(
  ground: TargetDatabase,
  options: Omit<ProveSqlOptions, 'adminUrl'>,
): Promise<{ readonly verdicts: Promise<readonly Verdict[]> }> {
  const running: Promise<Verdict[]>[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    await new Promise<void>((resolve, reject) => {
      const run = ground.copy(({ adminUrl }) => {
        resolve();
        let turn = 0;
        return proveMutants({ ...options, adminUrl, chosen: () => turn++ % lanes === lane });
      });
      run.catch(reject);
      running.push(run);
    });
  }
  const verdicts = Promise.all(running).then((found) =>
    // As dealt out, so that the order is that of one run.
    Array.from({ length: found.flat().length }, (_, at) => found[at % lanes]?.[Math.floor(at / lanes)] as Verdict),
  );
  // The caller receives a failure when it awaits the verdicts.
  verdicts.catch(() => {});
  return { verdicts };
}
