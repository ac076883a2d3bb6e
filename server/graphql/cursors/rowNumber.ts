import { PgSelectStep } from 'postgraphile/@dataplan/pg';
import { SafeError } from 'postgraphile/grafast';
import { type SQL, sql } from 'postgraphile/pg-sql2';
import { type Cursor, readCursor } from './cursor.ts';
import { keyOf, type Table } from './key.ts';
import type { Order } from './order.ts';

/** Tells whether the select has no unique key that tenants may read. Its cursors are then row numbers. */
export function isNumbered($select: unknown): boolean {
  return $select instanceof PgSelectStep && !keyOf($select.resource as Table).isUnique;
}

/** Builds the row number in this order, starting at 1. */
export function rowNumberIn(orders: readonly Order[]): SQL {
  const terms = orders.map(
    ({ expression, isDescending, nullsFirst }) =>
      sql`${expression} ${isDescending ? sql`desc` : sql`asc`} nulls ${nullsFirst ? sql`first` : sql`last`}`,
  );
  return sql`(row_number() over (order by ${sql.join(terms, ', ')}))::int`;
}

/**
 * Reads the row number in a cursor of a numbered select.
 *
 * @throws SafeError when the cursor has no row number.
 */
export function numberOf(cursor: Cursor): number {
  const number = cursor.at(-1);
  if (!Number.isSafeInteger(number) || (number as number) < 1) {
    throw new SafeError('Invalid cursor, please enter a cursor from a previous request, or null.');
  }
  return number as number;
}

type Value = number | null | undefined;

/** The rows on a page. */
interface Range {
  readonly first: Value;
  readonly last: Value;
  readonly offset: Value;
}

/**
 * Converts the cursors of a request into the range of rows on a page of a numbered select. PostGraphile itself handles
 * natural cursors, which belong to unordered rows.
 *
 * @throws SafeError when a cursor is invalid.
 */
export function rangeOf({ first, last, offset }: Range, after: unknown, before: unknown): Range {
  const [lower, upper] = [after, before].map((text) => {
    const cursor = readCursor(text);
    return cursor && cursor[0] !== 'natural' ? numberOf(cursor) : undefined;
  });
  if (lower === undefined && upper === undefined) return { first, last, offset };
  const start = (lower ?? 0) + (offset ?? 0);
  // complexity/page.ts refuses `before` with `first`, `after` or `offset`, and `last` with `after` or `offset`.
  if (upper === undefined) return { first, last, offset: start };
  const size = Math.min(last ?? upper - 1, upper - 1);
  return { first: size, last: null, offset: upper - 1 - size };
}
