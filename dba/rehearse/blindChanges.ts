import type pg from 'pg';
import { blank, bodyOfDo } from '../migrations/blank.ts';
import { statementTables } from './statementTables.ts';

/** Rows that the transaction has inserted, updated and deleted so far, by table. */
export async function countChanges(client: pg.Client): Promise<Map<string, number>> {
  const { rows } = await client.query<{ table: string; changes: number }>(
    `select format('%I.%I', schemaname, relname) as table, (n_tup_ins + n_tup_upd + n_tup_del)::float8 as changes
     from pg_stat_xact_user_tables where n_tup_ins + n_tup_upd + n_tup_del > 0`,
  );
  return new Map(rows.map(({ table, changes }) => [table, changes]));
}

/** How many rows of each table a statement has changed, by the counts before and after it. */
export function changesBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Map<string, number> {
  const changed = [...after].map(([table, count]) => [table, count - (before.get(table) ?? 0)] as const);
  return new Map(changed.filter(([, count]) => count > 0));
}

interface Done {
  readonly sql: string;
  /** Whether the statement ran in a transaction, which an error would end. */
  readonly inTransaction: boolean;
  /** Rows that the statement has changed, by table. */
  readonly changed: ReadonlyMap<string, number>;
  /** Tables that the statement was the first to lock for changing rows. */
  readonly locked: readonly string[];
}

/**
 * The tables whose rows row-level security hides from the owner, so that a statement found none of them: those that it was
 * meant to change, and those that it read to change or to fill another table. Knows `update`, `delete`, `merge`, `insert`,
 * `create table … as`, `select … into`, materialized views and `setval`, alone, in `do` blocks and in functions; views count
 * as the tables behind them.
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

/** The tables of these names, and those behind views, that row-level security applies to. */
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
    // A statement that reads what the owner may not read has failed itself.
    return true;
  } finally {
    if (inTransaction) await client.query('rollback to savepoint hedgerow_sees; release savepoint hedgerow_sees');
  }
}

const name = '((?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)(?:\\.(?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+))?)';

/** The bodies of the functions that SQL calls by their schema, and of those that they call, `depth` levels deep. */
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
