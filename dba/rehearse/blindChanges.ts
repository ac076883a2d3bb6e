import type pg from 'pg';
import { blank, bodyOfDo } from '../migrations/blank.ts';
import { statementTables } from './statementTables.ts';

/** Counts the rows that the transaction has inserted, updated and deleted so far, by table. */
export async function countChanges(client: pg.Client): Promise<Map<string, number>> {
  const { rows } = await client.query<{ table: string; changes: number }>(
    `select format('%I.%I', schemaname, relname) as table, (n_tup_ins + n_tup_upd + n_tup_del)::float8 as changes
     from pg_stat_xact_user_tables where n_tup_ins + n_tup_upd + n_tup_del > 0`,
  );
  return new Map(rows.map(({ table, changes }) => [table, changes]));
}

/** Computes the rows of each table that a statement has changed, from the counts before and after it. */
export function changesBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Map<string, number> {
  const changed = [...after].map(([table, count]) => [table, count - (before.get(table) ?? 0)] as const);
  return new Map(changed.filter(([, count]) => count > 0));
}

interface Done {
  readonly sql: string;
  /** Whether the statement ran in a transaction, which an error would abort. */
  readonly inTransaction: boolean;
  /** Rows that the statement has changed, by table. */
  readonly changed: ReadonlyMap<string, number>;
  /** Tables on which the statement was the first to take a ROW EXCLUSIVE lock. */
  readonly locked: readonly string[];
}

/**
 * Finds tables of which a statement saw no rows, because row-level security hides them from the owner. Considers tables
 * that the statement should change, and tables that it reads to change or fill another one.
 *
 * Supports `update`, `delete`, `merge`, `insert`, `create table … as`, `select … into`, materialized views and `setval`:
 * as statements, in `do` blocks and in functions. A view counts as its underlying tables.
 */
export async function blindTables(client: pg.Client, { sql, inTransaction, changed, locked }: Done): Promise<string[]> {
  const body = bodyOfDo(sql);
  const bodies = await bodiesOf(client, body ?? sql);
  const found = statementTables(body === undefined ? sql : undefined, body === undefined ? bodies : [body, ...bodies]);
  const calls = body !== undefined || /^\s*(select|call)\b/i.test(blank(sql));
  const meant = await hidden(client, [...found.changed, ...(calls ? locked : [])]);
  const blind = new Set(meant.filter((table) => !changed.has(table)));
  if (found.changes) {
    for (const table of await hidden(client, found.read)) {
      if (!changed.has(table) && !(await seesRows(client, table, inTransaction))) blind.add(table);
    }
  }
  return [...blind];
}

/** Returns those of the named tables, and of the tables under named views, that have row-level security active. */
async function hidden(client: pg.Client, names: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ object: string }>(
    `with recursive reached as (
       select to_regclass(given)::oid as oid from unnest($1::text[]) given
       union
       select d.refobjid from reached v join pg_rewrite r on r.ev_class = v.oid
       join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
     )
     select format('%I.%I', n.nspname, c.relname) as object
     from reached join pg_class c on c.oid = reached.oid join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and row_security_active(c.oid) order by 1`,
    [names],
  );
  return rows.map(({ object }) => object);
}

async function seesRows(client: pg.Client, table: string, inTransaction: boolean): Promise<boolean> {
  if (inTransaction) await client.query('savepoint hedgerow_sees');
  try {
    const { rows } = await client.query<{ sees: boolean }>(`select exists (select from ${table}) as sees`);
    return rows[0]?.sees === true;
  } catch {
    // The owner may not read the table. Then the statement itself has failed, and there is nothing to report.
    return true;
  } finally {
    if (inTransaction) await client.query('rollback to savepoint hedgerow_sees; release savepoint hedgerow_sees');
  }
}

const name = '((?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)(?:\\.(?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+))?)';

/** Returns the bodies of the functions that the SQL calls with a schema, and of nested calls up to `depth` levels. */
async function bodiesOf(client: pg.Client, sql: string, depth = 3): Promise<string[]> {
  const names = [...sql.matchAll(new RegExp(`${name}\\s*\\(`, 'g'))].map(([, called]) => called);
  if (names.length === 0 || depth === 0) return [];
  const { rows } = await client.query<{ body: string }>(
    `select coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) as body from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where format('%I.%I', n.nspname, p.proname) = any($1) and p.prokind in ('f', 'p') and n.nspname <> 'pg_catalog'`,
    [names],
  );
  const bodies = rows.map(({ body }) => body);
  return [...bodies, ...(await bodiesOf(client, bodies.join('\n'), depth - 1))];
}
