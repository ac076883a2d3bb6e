import type pg from 'pg';

/** Postgres keeps what a view and a function with a parsed body use. Those that run as their owner ask no policy of tenants. */
const recorded = `
  select d.refobjid::text as used, coalesce(r.ev_class, d.objid)::text as oid
  from pg_depend d
  left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
  left join pg_class v on v.oid = r.ev_class
  left join pg_proc f on d.classid = 'pg_proc'::regclass and f.oid = d.objid
  where (f.oid is not null and not f.prosecdef or v.reloptions && '{security_invoker=true,security_invoker=on}')
    and d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass) and d.refobjid <> coalesce(r.ev_class, d.objid)
    and d.refobjid >= 16384`;

/** Functions whose body is a text: the names in it are looked for. */
const written = `
  select p.oid::text, p.prosrc as text from pg_proc p
  where p.oid >= 16384 and p.prosqlbody is null and not p.prosecdef
    and p.prolang in (select oid from pg_language where lanname in ('sql', 'plpgsql'))`;

const named = `
  select c.oid::text, c.relname as name, false as "isFunction" from pg_class c where c.oid >= 16384 and c.relkind in ('r', 'p', 'v')
  union all
  select p.oid::text, p.proname, true from pg_proc p where p.oid >= 16384`;

/**
 * The tables and functions that views and functions use, those behind others included.
 *
 * @returns by the oid of a view or function: the oids of all that it uses.
 */
export async function readUses(client: pg.ClientBase): Promise<ReadonlyMap<string, readonly string[]>> {
  const direct = new Map<string, Set<string>>();
  const add = (oid: string, used: string) => direct.set(oid, (direct.get(oid) ?? new Set()).add(used));
  for (const { oid, used } of (await client.query<{ oid: string; used: string }>(recorded)).rows) add(oid, used);
  const names = (await client.query<{ oid: string; name: string; isFunction: boolean }>(named)).rows;
  const [tables, functions] = [new Map<string, string[]>(), new Map<string, string[]>()];
  for (const { oid, name, isFunction } of names) {
    const map = isFunction ? functions : tables;
    map.set(name.toLowerCase(), [...(map.get(name.toLowerCase()) ?? []), oid]);
  }
  for (const { oid, text } of (await client.query<{ oid: string; text: string }>(written)).rows) {
    const code = text.replace(/--.*$|\/\*[\s\S]*?\*\//gm, ' ').toLowerCase();
    const used = [
      ...tablesIn(code).flatMap((name) => tables.get(name) ?? []),
      ...callsIn(code).flatMap((name) => functions.get(name) ?? []),
    ];
    for (const one of used) if (one !== oid) add(oid, one);
  }
  const all = new Map<string, readonly string[]>();
  for (const oid of direct.keys()) all.set(oid, [...reach(oid, direct)]);
  return all;
}

const identifier = '(?:"[^"]+"|\\w+)';
const qualified = new RegExp(`^\\s*(?:only\\s+)?(?:${identifier}\\s*\\.\\s*)?(${identifier})`);
const fromClause = /\b(?:from|join|update|into|using)\s+([^;()]*)/g;
const nextClause = /\b(?:where|group|order|limit|set|on|returning|for|having|union|window|values|join|select)\b/;
const call = new RegExp(`(${identifier})\\s*\\(`, 'g');

const unquoted = (name = '') => name.replaceAll('"', '');

/** The names behind `from`, `join`, `update`, `into` and `using`, in lower case. */
function tablesIn(code: string): string[] {
  return [...code.matchAll(fromClause)].flatMap(([, clause = '']) =>
    (clause.split(nextClause)[0] ?? '').split(',').map((item) => unquoted(qualified.exec(item)?.[1])),
  );
}

function callsIn(code: string): string[] {
  return [...code.matchAll(call)].map(([, name]) => unquoted(name));
}

function reach(from: string, direct: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const found = new Set<string>();
  const visit = (oid: string): void => {
    for (const used of direct.get(oid) ?? []) {
      if (found.has(used)) continue;
      found.add(used);
      visit(used);
    }
  };
  visit(from);
  return found;
}
