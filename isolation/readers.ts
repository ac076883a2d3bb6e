import type pg from 'pg';
import { ReferenceReader, type References } from '../lint/references.ts';
import { type Catalog, isReachable } from './catalog.ts';

/** A policy, view, function, default, check, trigger or rule, and its references. */
export interface Reader {
  /** A name for display: `policy own on app_public.notes`. */
  readonly what: string;
  readonly references: References;
  /** Whether it decides which rows a tenant reaches: a policy, a view, or a SECURITY DEFINER function. */
  readonly decides: boolean;
  /** Whether it decides by the current time without reading a row, directly or through a function. */
  readonly isByTimeAlone: boolean;
}

interface Found {
  readonly what: string;
  readonly trees: readonly string[];
  readonly oids: readonly string[];
  readonly decides: boolean;
}

const ofTables = `
  select format('policy %s on %s.%s', p.polname, n.nspname, c.relname) as what, true as decides, '{}'::text[] as oids,
    array_remove(array[p.polqual::text, p.polwithcheck::text], null) as trees
  from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
  where c.oid = any ($1::oid[]) and exists (select from unnest(p.polroles) r where r = 0 or pg_has_role($2, r, 'usage'))
  union all
  select format('the default of %s.%s.%s', n.nspname, c.relname, a.attname), false, '{}', array[d.adbin::text]
  from pg_attrdef d join pg_class c on c.oid = d.adrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
  where c.oid = any ($1::oid[])
  union all
  select format('constraint %s on %s.%s', k.conname, n.nspname, c.relname), false, '{}', array[k.conbin::text]
  from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
  where k.contype = 'c' and c.oid = any ($1::oid[])
  union all
  select format('trigger %s on %s.%s', t.tgname, n.nspname, c.relname), false, array[t.tgfoid::text],
    array_remove(array[t.tgqual::text], null)
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
  where not t.tgisinternal and c.oid = any ($1::oid[])
  union all
  select format('rule %s on %s.%s', r.rulename, n.nspname, c.relname), false, '{}',
    array_remove(array[r.ev_action::text, nullif(r.ev_qual::text, '<>')], null)
  from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
  where r.rulename <> '_RETURN' and c.oid = any ($1::oid[])
  order by 1`;

/** Reads every object that may depend on the current session. */
export async function readReaders(client: pg.ClientBase, catalog: Catalog): Promise<Reader[]> {
  const tables = catalog.tables.filter((table) => table.schema === catalog.schema || isReachable(table));
  const { rows } = await client.query<Found>(ofTables, [
    [...tables, ...catalog.views].map(({ oid }) => oid),
    catalog.role,
  ]);
  const found: Found[] = [
    ...rows,
    ...catalog.routines
      .filter(({ executable }) => executable)
      .map(({ name, oid, definer }) => ({
        what: `function ${name}`,
        trees: [],
        oids: [String(oid)],
        decides: definer,
      })),
    ...catalog.views.map(({ name, oid }) => ({ what: `view ${name}`, trees: [], oids: [String(oid)], decides: true })),
  ];
  const reader = await ReferenceReader.open(client);
  const readers: Reader[] = [];
  for (const { what, trees, oids, decides } of found) {
    readers.push({
      what,
      decides,
      references: await reader.of(trees, oids),
      isByTimeAlone: decides && (await reader.decidesByTime(trees, oids)),
    });
  }
  return readers;
}

/** Lists the first three readers and the number of the others. */
export function nameReaders(readers: readonly string[]): string {
  return `${readers.slice(0, 3).join(', ')}${readers.length > 3 ? ` and ${readers.length - 3} more` : ''}`;
}
