import pg from 'pg';
import type { PgClient } from 'postgraphile/@dataplan/pg';
import { ItemError, RowNotFoundError } from '../errors.ts';

/** Does all of `items` in one statement; answers with a row for each, in their order, or undefined where there is none. */
type Statement<Item, Row> = (client: PgClient, items: readonly Item[]) => Promise<readonly (Row | undefined)[]>;

/**
 * Runs `statement` on all of `items`, in a transaction that only their whole success commits.
 *
 * @param most how many items one statement may take.
 * @throws ItemError with the first item, in their order, that cannot be done.
 */
export function allOrNothing<Item, Row>(
  client: PgClient,
  items: readonly Item[],
  most: number,
  statement: Statement<Item, Row>,
): Promise<Row[]> {
  // Postgres does not say which row it refused. So a part that fails is undone and done again in halves, down to the
  // item: some twenty statements for a thousand items, and only where one of them fails.
  const part = async (transaction: PgClient, from: number, to: number): Promise<Row[]> => {
    if (from === to) return [];
    const halves = async () => {
      const middle = Math.ceil((from + to) / 2);
      return [...(await part(transaction, from, middle)), ...(await part(transaction, middle, to))];
    };
    if (to - from > most) return halves();
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
  return client.withTransaction((transaction) => part(transaction as PgClient, 0, items.length));
}

/** Whether Postgres refused what an item says, and not the statement for a reason of its own, such as a lock. */
function isRefusal(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && /^(22|23|44|HR4|P0|42501)/.test(error.code ?? '');
}
