import pg from 'pg';
import type { Transaction } from '../../tenancy/tenantDatabase.ts';

/** A table or a view of the API, with those of its columns that the tenant may read. */
export interface ReadableTable {
  readonly name: string;
  readonly columns: readonly string[];
}

/**
 * What the catalog says that the transaction's tenant may read: a table that somebody adds is in it from the start.
 * Partitions are left out, because their table has their rows.
 */
export async function readableTables(transaction: Transaction): Promise<ReadableTable[]> {
  const { rows } = await transaction.query<ReadableTable>({
    name: 'readable_tables',
    text: `select c.relname::text as name, array_agg(a.attname::text order by a.attnum) as columns
      from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = 'app_public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
        and a.attnum > 0 and not a.attisdropped and has_column_privilege(c.oid, a.attnum, 'select')
      group by c.oid order by name`,
  });
  return rows;
}

/** Rows that are in memory at a time. */
const batchSize = 500;

/** The table's rows as JSON texts, in batches, read by a cursor as they are asked for. Which rows, its policies say. */
export async function* rowsOf(
  { query }: Transaction,
  { name, columns }: ReadableTable,
): AsyncGenerator<readonly string[]> {
  const table = `app_public.${pg.escapeIdentifier(name)}`;
  const rows = `select ${columns.map((column) => pg.escapeIdentifier(column)).join(', ')} from ${table}`;
  await query({
    text: `declare rows no scroll cursor for select row_to_json(r)::text from (${rows}) r`,
    discard: true,
  });
  for (;;) {
    const { rows } = await query<[string]>({ text: `fetch ${batchSize} from rows`, rowMode: 'array' });
    if (rows.length > 0) yield rows.map(([row]) => row);
    if (rows.length < batchSize) break;
  }
  await query({ text: 'close rows', discard: true });
}
