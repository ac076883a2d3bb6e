import type { Result, Statement } from './statement.ts';

/** Milliseconds that all statements of an unshared transaction have together. */
const unsharedBudget = 500;

/**
 * Sets the time limit of the next statement to what is left of the transaction's budget. now() is when the transaction began.
 * Postgres has transaction_timeout since version 17 only, and it ends the session.
 */
const setRest: Statement = {
  name: 'hedgerow_budget',
  text: `select set_config('statement_timeout',
    greatest(1, ${unsharedBudget} - extract(epoch from clock_timestamp() - now()) * 1000)::int::text, true)`,
  discard: true,
};

/** `statements`, which fail with SQLSTATE 57014 once they have taken longer than the budget together. */
export function withBudget(statements: readonly Statement[]): Statement[] {
  return statements.flatMap((statement) => [setRest, statement]);
}

/** The results of the statements that were given to `withBudget`. */
export function withoutBudget(results: readonly Result<unknown>[]): Result<unknown>[] {
  return results.filter((_, index) => index % 2 === 1);
}
