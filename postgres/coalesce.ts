import pg from 'pg';
import { connectionFault } from './connectionErrors.ts';
import type { Result, Statement } from './statement.ts';

/** Statements of one tick that share a transaction; more of them go into the next. */
const limit = 20;

interface Asked {
  readonly statement: Statement;
  resolve(result: Result<unknown>): void;
  reject(error: unknown): void;
}

/** Gathers what is asked for in one tick, and runs it together. What then fails as a whole is run again one by one. */
export function coalesce(
  run: (statements: readonly Statement[]) => Promise<Result<unknown>[]>,
): (statement: Statement) => Promise<Result<unknown>> {
  const alone = async (statement: Statement) => (await run([statement]))[0] as Result<unknown>;
  const flush = async (asked: readonly Asked[]) => {
    try {
      const results = await run(asked.map(({ statement }) => statement));
      for (const [index, { resolve }] of asked.entries()) resolve(results[index] as Result<unknown>);
    } catch (error) {
      // Only the server's refusal of a statement says for certain that none of them has happened.
      const again = asked.length > 1 && error instanceof pg.DatabaseError && !connectionFault(error);
      for (const { statement, resolve, reject } of asked) {
        if (again) alone(statement).then(resolve, reject);
        else reject(error);
      }
    }
  };
  let waiting: Asked[] | undefined;
  return (statement) =>
    new Promise((resolve, reject) => {
      if (waiting && waiting.length < limit) {
        waiting.push({ statement, resolve, reject });
        return;
      }
      const asked: Asked[] = [{ statement, resolve, reject }];
      waiting = asked;
      // After the microtasks that are due: the tick's other statements have been asked for by then.
      process.nextTick(() => {
        if (waiting === asked) waiting = undefined;
        void flush(asked);
      });
    });
}
