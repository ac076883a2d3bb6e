import pg from 'pg';
import { connectionFault } from './connectionErrors.ts';
import type { Result, Statement } from './statement.ts';

/** Maximum of statements per transaction. Further statements of the tick go into the next transaction. */
const maxStatements = 20;

interface PendingStatement {
  readonly statement: Statement;
  resolve(result: Result<unknown>): void;
  reject(error: unknown): void;
}

/**
 * Coalesces the statements of one tick into one transaction. If that fails, each statement runs again separately.
 *
 * @param run runs statements as one implicit transaction.
 * @returns a function that runs one statement.
 */
export function coalesce(
  run: (statements: readonly Statement[]) => Promise<Result<unknown>[]>,
): (statement: Statement) => Promise<Result<unknown>> {
  const runSeparately = async (statement: Statement) => (await run([statement]))[0] as Result<unknown>;
  const flush = async (pending: readonly PendingStatement[]) => {
    try {
      const results = await run(pending.map(({ statement }) => statement));
      for (const [index, { resolve }] of pending.entries()) resolve(results[index] as Result<unknown>);
    } catch (error) {
      // Only an error that the server raised for a statement proves that the transaction had no effect.
      const hadNoEffect = error instanceof pg.DatabaseError && !connectionFault(error);
      for (const { statement, resolve, reject } of pending) {
        if (pending.length > 1 && hadNoEffect) runSeparately(statement).then(resolve, reject);
        else reject(error);
      }
    }
  };
  let current: PendingStatement[] | undefined;
  return (statement) =>
    new Promise((resolve, reject) => {
      if (current && current.length < maxStatements) {
        current.push({ statement, resolve, reject });
        return;
      }
      const pending: PendingStatement[] = [{ statement, resolve, reject }];
      current = pending;
      // This runs after the pending microtasks, in which the other statements of the tick arrive.
      process.nextTick(() => {
        if (current === pending) current = undefined;
        void flush(pending);
      });
    });
}
