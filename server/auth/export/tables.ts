import pg from 'pg';
import type { Transaction } from '../../tenancy/tenantDatabase.ts';

/** A table or a view of the API, with the columns that the tenant may read. */
export interface ReadableTable {
  readonly name: string;
  readonly columns: readonly string[];
}

/**
 * Lists the tables and views with rows of the transaction's user, or of its organization: these are the tables with a column
 * organization_id. Views are the user's, and so are rows of both, such as memberships. The list comes from the catalog, so it includes new
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
      having case
        when c.relkind = 'v' then $1 = 'user'
        when c.relname = 'organizations' then $1 = 'organization'
        when bool_or(a.attname = 'organization_id') then $1 = 'organization' or bool_or(a.attname = 'user_id')
        else $1 = 'user'
      end
      order by name`,
    values: [owner],
  });
  return rows;
}

/** The number of rows that one fetch brings into memory. */
const batchSize = 500;

/**
 * Reads the table's rows through a cursor, in batches of JSON texts. The table's policies select the rows. Of an organization,
 * they also show the user's memberships in others, which do not belong to it.
 */
export async function* rowsOf(
  { query }: Transaction,
  { name, columns }: ReadableTable,
  owner: 'user' | 'organization',
): AsyncGenerator<readonly string[]> {
  const table = `app_public.${pg.escapeIdentifier(name)}`;
  const rows = `select ${columns.map((column) => pg.escapeIdentifier(column)).join(', ')} from ${table}${
    owner === 'organization' && columns.includes('organization_id')
      ? ' where organization_id = app_public.current_organization_id()'
      : ''
  }`;
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
