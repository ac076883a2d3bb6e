import type pg from 'pg';
import { bodyOfDo } from '../migrations/blank.ts';

const name = '((?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)(?:\\.(?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+))?)';
const changing = new RegExp(`\\b(update|delete from|merge into|insert into)\\s+(?:only\\s+)?${name}`, 'gi');
const reading = new RegExp(`\\b(?:from|join|using)\\s+(?:only\\s+)?${name}`, 'gi');

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

/**
 * The tables of which a statement was meant to change or copy rows and has changed none, because row-level security hides
 * them from the owner. Knows `update`, `delete`, `merge` and `insert … select`, alone and in `do` blocks, and what functions
 * change.
 *
 * @param changed rows that the statement has changed, by table.
 * @param locked tables that the statement was the first to lock for changing rows.
 */
export async function blindTables(
  client: pg.Client,
  sql: string,
  changed: ReadonlyMap<string, number>,
  locked: readonly string[],
): Promise<string[]> {
  const body = bodyOfDo(sql);
  const callsFunctions = body !== undefined || /^\s*(select|call)\b/i.test(sql);
  const found = targets([body ?? sql, ...(callsFunctions ? await bodiesOf(client, body ?? sql) : [])]);
  const suspects = [
    ...found.changed,
    ...(callsFunctions ? locked : []),
    ...(found.copiedTo.length > 0 ? found.read : []),
  ];
  const { rows } = await client.query<{ table: string; object: string }>(
    `select t.given as table, format('%I.%I', n.nspname, c.relname) as object
     from (select distinct unnest($1::text[]) as given) t
     join pg_class c on c.oid = to_regclass(t.given)
     join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and row_security_active(c.oid)`,
    [suspects],
  );
  const copied = await resolve(client, found.copiedTo);
  const copiedNothing = copied.length > 0 && copied.every((table) => !changed.has(table));
  const isBlind = ({ table, object }: { table: string; object: string }) => {
    if (changed.has(object)) return false;
    return found.changed.includes(table) || locked.includes(table) || copiedNothing;
  };
  return [...new Set(rows.filter(isBlind).map(({ object }) => object))];
}

interface Targets {
  /** Tables whose rows are updated, deleted or merged into. */
  readonly changed: readonly string[];
  /** Tables that rows of other tables are inserted into. */
  readonly copiedTo: readonly string[];
  readonly read: readonly string[];
}

function targets(texts: readonly string[]): Targets {
  const statements = texts.filter((sql) =>
    /^\s*(update|delete|merge|insert|with|select|call|begin|declare|<<)\b/i.test(sql),
  );
  const commands = statements.flatMap((sql) =>
    [...sql.matchAll(changing)].map(([, command = '', table = '']) => ({
      command: command.toLowerCase().replace(/\s+/g, ' '),
      table,
    })),
  );
  const copies = statements.some((sql) => /\binsert\s+into\b[^;]*\b(select|table)\b/i.test(sql));
  return {
    changed: commands.filter(({ command }) => command !== 'insert into').map(({ table }) => table),
    copiedTo: copies ? commands.filter(({ command }) => command === 'insert into').map(({ table }) => table) : [],
    read: statements.flatMap((sql) => [...sql.matchAll(reading)].map(([, table = '']) => table)),
  };
}

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

async function resolve(client: pg.Client, tables: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ object: string }>(
    `select format('%I.%I', n.nspname, c.relname) as object from unnest($1::text[]) given
     join pg_class c on c.oid = to_regclass(given) join pg_namespace n on n.oid = c.relnamespace`,
    [tables],
  );
  return rows.map(({ object }) => object);
}
