import pg from 'pg';
import type { Transaction } from '../../tenancy/tenantDatabase.ts';

/** A table or a view of the API, with the columns that the tenant may read. */
export interface ReadableTable {
  readonly name: string;
  readonly columns: readonly string[];
}

/**
 * Lists the tables and views that the transaction's tenant may read, of one kind of owner: rows belong to an organization if
 * the table has the column organization_id. Views are the user's. The list comes from the catalog, so it includes new
 * tables at once. It omits partitions, because the partitioned table includes their rows.
 */
export async function readableTables(
  transaction: Transaction,
  owner: 'user' | 'organization',
): Promise<ReadableTable[]> {
  const { rows } = await transaction.query<ReadableTable>({
    name: 'readable_tables',
    text: `select c.relname::text as name, array_agg(a.attname::text order by a.attnum) as columns
      from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = 'app_public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
        and a.attnum > 0 and not a.attisdropped and has_column_privilege(c.oid, a.attnum, 'select')
      group by c.oid
      having (c.relkind <> 'v' and (c.relname = 'organizations' or exists (
        select from pg_attribute o where o.attrelid = c.oid and o.attname = 'organization_id' and not o.attisdropped
      ))) = ($1 = 'organization')
      order by name`,
    values: [owner],
  });
  return rows;
}

/** The number of rows that one fetch brings into memory. */
const batchSize = 500;

/** Reads the table's rows through a cursor, in batches of JSON texts. The table's policies select the rows. */
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
