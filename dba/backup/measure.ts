import type pg from 'pg';
import { z } from 'zod';

/** The row count and checksum of a table. */
export const tableContent = z.object({
  /** Quoted if necessary: `app_public.todos`. */
  table: z.string(),
  rows: z.number().int().nonnegative(),
  /** Sum of the row hashes (the first 64 bits of SHA-256 as a signed number). It does not depend on the row order. */
  checksum: z.string(),
});
export type TableContent = z.infer<typeof tableContent>;

/** Session settings that make the text form of a row independent of the connection. */
const settings = [
  "set local datestyle = 'ISO, YMD'",
  "set local intervalstyle = 'postgres'",
  "set local timezone = 'UTC'",
  "set local bytea_output = 'hex'",
  'set local extra_float_digits = 1',
  "set local xmloption = 'content'",
  'set local search_path = pg_catalog',
  // Raise an error if a policy would hide rows.
  'set local row_security = off',
  'set local statement_timeout = 0',
  'set local idle_in_transaction_session_timeout = 0',
];

/**
 * Counts the rows of every table and sums up their hashes. Reads all data once.
 *
 * @param client an open transaction of a role that bypasses row-level security. The function changes its settings.
 */
export async function measureTables(client: pg.ClientBase): Promise<TableContent[]> {
  for (const setting of settings) await client.query(setting);
  const { rows: tables } = await client.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
       and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
     order by 1`,
  );
  const measured = [];
  for (const { name } of tables) {
    const { rows } = await client.query(
      `select count(*)::int8 as rows, coalesce(sum(
         ('x' || encode(substring(sha256(convert_to((r.*)::text, 'UTF8')) for 8), 'hex'))::bit(64)::int8
       ), 0)::text as checksum from only ${name} r`,
    );
    measured.push({ table: name, rows: Number(rows[0].rows), checksum: rows[0].checksum as string });
  }
  return measured;
}

/** Compares the contents of tables. Returns a sentence for each table that differs. */
export function compareTables(expected: readonly TableContent[], found: readonly TableContent[]): string[] {
  const byName = new Map(found.map((table) => [table.table, table]));
  const names = new Set(expected.map(({ table }) => table));
  return [
    ...expected.flatMap(({ table, rows, checksum }) => {
      const here = byName.get(table);
      if (!here) return `table ${table} is missing`;
      if (here.rows !== rows) return `table ${table} has ${here.rows} rows instead of ${rows}`;
      return here.checksum === checksum ? [] : `table ${table} has ${rows} rows as expected, but other values`;
    }),
    ...found.flatMap(({ table }) => (names.has(table) ? [] : `table ${table} is not in the manifest`)),
  ];
}
