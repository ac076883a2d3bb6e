import pg from 'pg';
import type { PgClient } from 'postgraphile/@dataplan/pg';
import { ItemError, RowNotFoundError } from '../errors.ts';

/** Applies all `items` in one statement. Returns a row for each item, in order; `undefined` if the row does not exist. */
type Statement<Item, Row> = (client: PgClient, items: readonly Item[]) => Promise<readonly (Row | undefined)[]>;

/**
 * Runs `statement` on all `items` in one transaction, which commits only if all of them succeed.
 *
 * @param maxItems the maximum number of items for one statement.
 * @throws ItemError for the first item, in order, that fails.
 */
export function allOrNothing<Item, Row>(
  client: PgClient,
  items: readonly Item[],
  maxItems: number,
  statement: Statement<Item, Row>,
): Promise<Row[]> {
  // Postgres does not say which row it refused. A part that fails rolls back and runs again in halves, down to one item.
  // This takes about twenty statements for a thousand items, and only after a failure.
  const runPart = async (transaction: PgClient, from: number, to: number): Promise<Row[]> => {
    if (from === to) return [];
    const halves = async () => {
      const middle = Math.ceil((from + to) / 2);
      return [...(await runPart(transaction, from, middle)), ...(await runPart(transaction, middle, to))];
    };
    if (to - from > maxItems) return halves();
    try {
      return await transaction.withTransaction(async (savepoint) => {
        const rows = await statement(savepoint as PgClient, items.slice(from, to));
        return rows.map((row, index) => {
          if (row === undefined) throw new ItemError(from + index, new RowNotFoundError());
          return row;
        });
      });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (to - from === 1) throw new ItemError(from, error);
      return halves();
    }
  };
  return client.withTransaction((transaction) => runPart(transaction as PgClient, 0, items.length));
}

/** Tells whether Postgres refused the values of an item. Other errors, such as a lock timeout, concern the statement. */
function isRefusal(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && /^(22|23|44|HR4|P0|42501)/.test(error.code ?? '');
}
