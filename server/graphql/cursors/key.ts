import type { PgCodecWithAttributes, PgResource } from 'postgraphile/@dataplan/pg';
import { columnsOfKey } from '../hideOwnerColumn.ts';

export type Table = PgResource<string, PgCodecWithAttributes>;

/** Columns that complete an order. */
export interface Key {
  readonly columns: readonly string[];
  /** Whether no two rows have the same values in them. */
  readonly isUnique: boolean;
}

/**
 * A unique key of the table that tenants may read. Where there is none, as of views, functions and narrow grants, rows that
 * are the same in the columns of the key are the same in all columns that tenants may read and Postgres can sort.
 */
export function keyOf({ uniques, codec }: Pick<Table, 'uniques' | 'codec'>): Key {
  // Functions may return rows of a scalar type.
  const attributes = codec.attributes ?? {};
  const keys = uniques
    // Rows that have null in a unique column may be many.
    .filter(({ isPrimary, attributes: names }) => isPrimary || names.every((name) => attributes[name]?.notNull))
    .map(columnsOfKey);
  const unique = keys.find((columns) => columns.every((name) => isReadable(codec, name)));
  if (unique) return { columns: unique, isUnique: true };
  const sortable = Object.keys(attributes).filter((name) => attributes[name]?.codec.hasNaturalOrdering);
  const columns = new Set([...(keys[0] ?? []), ...sortable]);
  return { columns: [...columns].filter((name) => isReadable(codec, name)), isUnique: false };
}

/** Whether tenants are granted SELECT on the column: to order by it needs the grant. */
export function isReadable({ attributes }: PgCodecWithAttributes, name: string): boolean {
  return attributes[name]?.extensions?.canSelect !== false;
}
