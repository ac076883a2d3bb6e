import type { ProveSqlOptions } from '../proveSql.ts';
import type { TargetDatabase } from '../targetDatabase.ts';
import type { Verdict } from './mutant.ts';
import { proveMutants } from './proveMutants.ts';

/** The number of copies to attack mutants in concurrently. Postgres uses most of the time, in one process per copy. */
const workers = 2;

/**
 * Copies the target database, which must not contain seed data yet, and starts to attack mutants in the copies.
 *
 * @returns as soon as the copies exist, so that the caller can fill the target database. The verdicts follow later.
 */
export async function startMutants(
  target: TargetDatabase,
  options: Omit<ProveSqlOptions, 'adminUrl'>,
): Promise<{ readonly verdicts: Promise<readonly Verdict[]> }> {
  const running: Promise<Verdict[]>[] = [];
  for (let worker = 0; worker < workers; worker++) {
    await new Promise<void>((resolve, reject) => {
      const run = target.copy(({ adminUrl }) => {
        resolve();
        let turn = 0;
        return proveMutants({ ...options, adminUrl, chosen: () => turn++ % workers === worker });
      });
      run.catch(reject);
      running.push(run);
    });
  }
  const verdicts = Promise.all(running).then((found) =>
    // The workers took the mutants in turn. Restore the order that a single worker would have.
    Array.from({ length: found.flat().length }, (_, at) => found[at % workers]?.[Math.floor(at / workers)] as Verdict),
  );
  // The caller receives a failure when it awaits the verdicts.
  verdicts.catch(() => {});
  return { verdicts };
}
