import { type SQL, sql } from 'postgraphile/pg-sql2';
import type { Order } from './order.ts';

/** The side of a cursor on which a page is. */
export type Side = 'after' | 'before';

/**
 * Builds the condition for the rows on one side of a cursor. They are exactly the rows that a plain `order by` puts there.
 *
 * @param orders at least one order; together they are unique.
 * @param values the values of the cursor's row, one for each order: null, or text that Postgres reads.
 */
export function conditionOf(orders: readonly Order[], values: readonly unknown[], side: Side): SQL {
  const from = (index: number): SQL => {
    const order = orders[index] as Order;
    const later = laterThan(order, values[index], side);
    if (index === orders.length - 1) return later ?? sql`false`;
    const rest = orders.slice(index);
    if (isRowComparable(rest, values.slice(index))) return compareRows(rest, values.slice(index), side);
    const same = sql`${sameAs(order, values[index])} and (${from(index + 1)})`;
    return later ? sql`${later} or (${same})` : same;
  };
  return from(0);
}

/** Selects rows that come after the value in reading direction; `undefined` if there can be none. */
function laterThan(order: Order, value: unknown, side: Side): SQL | undefined {
  const { expression, isNullable, nullsFirst } = order;
  const nullsAreLater = nullsFirst === (side === 'before');
  if (value === null) return nullsAreLater ? undefined : sql`${expression} is not null`;
  const later = sql`${expression} ${comparator(order, side)} ${typed(order, value)}`;
  return isNullable && nullsAreLater ? sql`${later} or ${expression} is null` : later;
}

function sameAs(order: Order, value: unknown): SQL {
  return value === null ? sql`${order.expression} is null` : sql`${order.expression} = ${typed(order, value)}`;
}

/** Tells whether a row comparison such as `(a, b) > (1, 2)` is equivalent. An index on both columns can answer it. */
function isRowComparable(orders: readonly Order[], values: readonly unknown[]): boolean {
  return orders.every(
    ({ isNullable, isDescending }, index) =>
      !isNullable && isDescending === orders[0]?.isDescending && values[index] !== null,
  );
}

function compareRows(orders: readonly Order[], values: readonly unknown[], side: Side): SQL {
  const expressions = orders.map(({ expression }) => expression);
  const typedValues = orders.map((order, index) => typed(order, values[index]));
  return sql`(${sql.join(expressions, ', ')}) ${comparator(orders[0] as Order, side)} (${sql.join(typedValues, ', ')})`;
}

function comparator({ isDescending }: Order, side: Side): SQL {
  return isDescending === (side === 'before') ? sql`>` : sql`<`;
}

function typed({ type }: Order, value: unknown): SQL {
  return sql`${sql.value(value as never)}::${type}`;
}
