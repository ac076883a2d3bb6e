import type pg from 'pg';
import { ours } from './ours.ts';

// Each query yields `object` (what the line belongs to), `kind` (its place below that object) and `line`.

const grantees = (acl: string) => `(
  select string_agg(line, e'\\n') from (
    select format('  grant %s to %s', string_agg(lower(a.privilege_type), ', ' order by a.privilege_type),
      coalesce(nullif(a.grantee, 0)::regrole::text, 'public')) as line
    from aclexplode(${acl}) a where a.grantee <> o.owner group by a.grantee order by 1
  ) grants)`;

const queries: readonly string[] = [
  `select format('schema %I', n.nspname) as object, 0 as kind, format('schema %I', n.nspname) as line
   from pg_namespace n, lateral (select n.oid, n.nspowner as owner) o where ${ours} and n.nspname <> 'public'
   union all
   select format('schema %I', n.nspname), 9, ${grantees('n.nspacl')}
   from pg_namespace n, lateral (select n.oid, n.nspowner as owner) o where ${ours} and n.nspname <> 'public'`,

  `select format('type %s', o.oid::regtype), 0, format('type %s: %s', o.oid::regtype, case o.typtype
     when 'd' then format('domain over %s%s', format_type(o.typbasetype, o.typtypmod), concat(case when o.typnotnull then ' not null' end, (
       select string_agg(' ' || pg_get_constraintdef(c.oid), '' order by c.conname) from pg_constraint c where c.contypid = o.oid and c.contype = 'c')))
     when 'e' then 'enum ' || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = o.oid)
     else o.typtype::text end)
   from pg_type o join pg_namespace n on n.oid = o.typnamespace where ${ours} and o.typtype in ('d', 'e', 'r')`,

  `select format('relation %s', o.oid::regclass), 0, format('%s %s%s owner %s%s%s', case o.relkind
       when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view' when 'm' then 'materialized view'
       when 'S' then 'sequence' else 'foreign table' end,
     o.oid::regclass, case when o.relispartition then ' partition' else '' end, o.relowner::regrole,
     case when o.relkind in ('r', 'p') then format(', row level security %s, %s',
       case when o.relrowsecurity then 'enabled' else 'disabled' end,
       case when o.relforcerowsecurity then 'forced' else 'not forced' end) end,
     ' with (' || array_to_string(o.reloptions, ', ') || ')')
   from pg_class o join pg_namespace n on n.oid = o.relnamespace
   where ${ours} and o.relkind in ('r', 'p', 'v', 'm', 'S', 'f')`,

  `select format('relation %s', o.oid::regclass), 1, format('  as %s', regexp_replace(pg_get_viewdef(o.oid), '\\s+', ' ', 'g'))
   from pg_class o join pg_namespace n on n.oid = o.relnamespace where ${ours} and o.relkind in ('v', 'm')`,

  `select format('relation %s', o.oid::regclass), 2, format('  column %I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
     case when a.attnotnull then ' not null' end,
     case when a.attgenerated <> '' then ' generated as ' else ' default ' end || pg_get_expr(d.adbin, d.adrelid))
   from pg_class o join pg_namespace n on n.oid = o.relnamespace
   join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
   left join pg_attrdef d on d.adrelid = o.oid and d.adnum = a.attnum
   where ${ours} and o.relkind in ('r', 'p', 'v', 'm', 'f')`,

  // Not-null constraints are named objects since Postgres 18; the column's line tells them on every version.
  `select format('relation %s', o.oid::regclass), 3, format('  constraint %I %s', c.conname, pg_get_constraintdef(c.oid))
   from pg_class o join pg_namespace n on n.oid = o.relnamespace join pg_constraint c on c.conrelid = o.oid
   where ${ours} and c.contype <> 'n'`,

  `select format('relation %s', o.oid::regclass), 4, '  ' || pg_get_indexdef(i.indexrelid)
   from pg_class o join pg_namespace n on n.oid = o.relnamespace join pg_index i on i.indrelid = o.oid
   where ${ours} and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = o.oid)`,

  `select format('relation %s', o.oid::regclass), 5, format('  trigger %s%s', regexp_replace(pg_get_triggerdef(t.oid), '^CREATE (CONSTRAINT )?TRIGGER ', ''),
     case t.tgenabled when 'O' then '' when 'D' then ' disabled' else ' enabled ' || t.tgenabled::text end)
   from pg_class o join pg_namespace n on n.oid = o.relnamespace join pg_trigger t on t.tgrelid = o.oid
   where ${ours} and not t.tgisinternal`,

  `select format('relation %s', o.oid::regclass), 6, format('  policy %I %s for %s to %s%s%s', p.polname,
     case when p.polpermissive then 'permissive' else 'restrictive' end,
     case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
     (select string_agg(coalesce(nullif(r, 0)::regrole::text, 'public'), ', ' order by 1) from unnest(p.polroles) r),
     ' using ' || pg_get_expr(p.polqual, p.polrelid), ' with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
   from pg_class o join pg_namespace n on n.oid = o.relnamespace join pg_policy p on p.polrelid = o.oid where ${ours}`,

  `select format('relation %s', o.oid::regclass), 7, ${grantees('o.acl')}
   from (select oid, relacl as acl, relowner as owner, relnamespace from pg_class where relkind in ('r', 'p', 'v', 'm', 'S', 'f')) o
   join pg_namespace n on n.oid = o.relnamespace where ${ours} and o.acl is not null`,

  `select format('relation %s', o.oid::regclass), 8, format('  grant %s (%s) to %s', lower(x.privilege_type),
     string_agg(quote_ident(a.attname), ', ' order by a.attnum), coalesce(nullif(x.grantee, 0)::regrole::text, 'public'))
   from pg_class o join pg_namespace n on n.oid = o.relnamespace
   join pg_attribute a on a.attrelid = o.oid cross join lateral aclexplode(a.attacl) x
   where ${ours} group by o.oid, x.privilege_type, x.grantee`,

  `select format('function %s', o.oid::regprocedure), 0, format('function %s returns %s%s: %s', o.oid::regprocedure,
     pg_get_function_result(o.oid), attributes, regexp_replace(coalesce(pg_get_function_sqlbody(o.oid), o.prosrc), '\\s+', ' ', 'g'))
   from pg_proc o join pg_namespace n on n.oid = o.pronamespace join pg_language l on l.oid = o.prolang,
   lateral (select format(', %s, %s, parallel %s%s%s%s', l.lanname,
     case o.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
     case o.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end,
     case when o.prosecdef then ', SECURITY DEFINER' end, case when o.proleakproof then ', leakproof' end,
     ', set ' || array_to_string(o.proconfig, ', ')) as attributes) described
   where ${ours} and o.prokind in ('f', 'p', 'w')`,

  `select format('function %s', o.oid::regprocedure), 9, ${grantees("coalesce(o.acl, acldefault('f', o.owner))")}
   from (select oid, proacl as acl, proowner as owner, pronamespace, prokind from pg_proc) o
   join pg_namespace n on n.oid = o.pronamespace where ${ours} and o.prokind in ('f', 'p', 'w')`,

  `select 'default privileges', 0, format('default privileges of %s on %s%s: %s', d.defaclrole::regrole,
     case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' else 'schemas' end,
     coalesce(' in schema ' || nullif(d.defaclnamespace, 0)::regnamespace, ''), d.defaclacl)
   from pg_default_acl d`,
];

/**
 * The schema as text, a line for each thing that tenants' isolation rests on: tables with their row-level security,
 * columns, constraints, indexes, triggers, policies, grants (of columns too) and functions. Sorted, so that two
 * databases are alike when their texts are.
 */
export async function describeSchema(client: pg.Client): Promise<string> {
  // Without it names are qualified or not as the connection's search_path has it.
  await client.query("select set_config('search_path', 'pg_catalog', false)");
  const lines: { object: string; kind: number; line: string }[] = [];
  for (const text of queries) {
    const { rows } = await client.query<[string, number, string | null]>({ text, rowMode: 'array' });
    for (const [object, kind, line] of rows) if (line) lines.push({ object, kind, line });
  }
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  lines.sort((a, b) => byText(a.object, b.object) || a.kind - b.kind || byText(a.line, b.line));
  return lines
    .map(({ line, kind }, index) => (kind === 0 && index > 0 ? `\n${line}` : line))
    .join('\n')
    .concat('\n');
}
