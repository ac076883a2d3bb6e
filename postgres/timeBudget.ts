import type { Result, Statement } from './statement.ts';

/** Milliseconds for all statements of an unshared transaction together. */
const unsharedBudget = 500;

/**
 * Sets the timeout of the next statement to the rest of the transaction's budget. now() is the start of the transaction.
 * Postgres has transaction_timeout only since version 17, and it ends the session.
 */
const setRemainingTime: Statement = {
  name: 'hedgerow_budget',
  text: `select set_config('statement_timeout',
    greatest(1, ${unsharedBudget} - extract(epoch from clock_timestamp() - now()) * 1000)::int::text, true)`,
  discard: true,
};

/** Limits the total time of `statements` to the budget. Beyond it, they fail with SQLSTATE 57014. */
export function withBudget(statements: readonly Statement[]): Statement[] {
  return statements.flatMap((statement) => [setRemainingTime, statement]);
}

/** Returns the results of the statements that were passed to `withBudget`. */
export function withoutBudget(results: readonly Result<unknown>[]): Result<unknown>[] {
  return results.filter((_, index) => index % 2 === 1);
}
