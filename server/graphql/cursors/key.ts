import type { PgCodecWithAttributes, PgResource } from 'postgraphile/@dataplan/pg';
import { columnsOfKey } from '../hideOwnerColumn.ts';

export type Table = PgResource<string, PgCodecWithAttributes>;

/** Columns that complete an order. */
export interface Key {
  readonly columns: readonly string[];
  /** No two rows have equal values in the columns. */
  readonly isUnique: boolean;
}

/**
 * Returns a unique key of the table that tenants may read. Views, functions and tables with narrow grants may have none.
 * Their key consists of all columns that tenants may read and Postgres can sort.
 */
export function keyOf({ uniques, codec }: Pick<Table, 'uniques' | 'codec'>): Key {
  // Functions may return rows of a scalar type.
  const attributes = codec.attributes ?? {};
  const keys = uniques
    // Several rows may have null in a unique column.
    .filter(({ isPrimary, attributes: names }) => isPrimary || names.every((name) => attributes[name]?.notNull))
    .map(columnsOfKey);
  const unique = keys.find((columns) => columns.every((name) => isReadable(codec, name)));
  if (unique) return { columns: unique, isUnique: true };
  const sortable = Object.keys(attributes).filter((name) => attributes[name]?.codec.hasNaturalOrdering);
  const columns = new Set([...(keys[0] ?? []), ...sortable]);
  return { columns: [...columns].filter((name) => isReadable(codec, name)), isUnique: false };
}

/** Tells whether tenants have the SELECT grant on the column. Ordering by it needs the grant. */
export function isReadable({ attributes }: PgCodecWithAttributes, name: string): boolean {
  return attributes[name]?.extensions?.canSelect !== false;
}
