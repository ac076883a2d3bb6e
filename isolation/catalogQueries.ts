import { ours } from '../postgres/ownObjects.ts';

// Each query returns one column, `row`: a JSON object with the keys of the matching interface in catalog.ts.
// $1 is the role that the attacks use.

const list = (what: string, from: string) => `coalesce((select json_agg(${what}) from ${from}), '[]')`;

const names = (relation: string, numbers: string) =>
  `(select json_agg(a.attname order by k.place) from unnest(${numbers}) with ordinality k(attnum, place)
    join pg_attribute a on a.attrelid = ${relation} and a.attnum = k.attnum)`;

export const types = `
select json_build_object('oid', t.oid::int, 'name', format_type(t.oid, -1),
  'kind', case when t.typtype = 'b' and t.typelem <> 0 and t.typsubscript = 'array_subscript_handler'::regproc then 'array'
    else case t.typtype when 'b' then 'base' when 'e' then 'enum' when 'd' then 'domain' when 'r' then 'range'
      when 'm' then 'multirange' when 'c' then 'composite' else 'pseudo' end end,
  'of', (case t.typtype when 'd' then t.typbasetype when 'r' then (select rngsubtype from pg_range where rngtypid = t.oid)
    when 'm' then (select rngtypid from pg_range where rngmultitypid = t.oid) else nullif(t.typelem, 0) end)::int,
  'modifier', t.typtypmod, 'notNull', t.typnotnull,
  'labels', case when t.typtype <> 'e' then '[]' else ${list('enumlabel order by enumsortorder', 'pg_enum where enumtypid = t.oid')} end,
  'attributes', case when t.typrelid = 0 then '[]' else ${list(
    `json_build_object('name', attname, 'type', atttypid::int, 'modifier', atttypmod) order by attnum`,
    'pg_attribute where attrelid = t.typrelid and attnum > 0 and not attisdropped',
  )} end,
  'checks', case when t.typtype <> 'd' then '[]' else ${list(`pg_get_expr(conbin, 0)`, `pg_constraint where contypid = t.oid and contype = 'c'`)} end) as row
from pg_type t left join pg_class c on c.oid = t.typrelid
where t.typrelid = 0 or c.relkind = 'c' or c.relnamespace <> 'pg_catalog'::regnamespace`;

export const relations = `
select json_build_object('oid', o.oid::int, 'schema', n.nspname, 'relname', o.relname,
  'name', n.nspname || '.' || o.relname, 'sql', format('%I.%I', n.nspname, o.relname),
  'kind', case o.relkind when 'r' then 'table' when 'p' then 'partitioned' when 'v' then 'view'
    when 'm' then 'materialized view' when 'f' then 'foreign table' else 'sequence' end,
  'owner', o.relowner::regrole::text, 'rowSecurity', o.relrowsecurity, 'forced', o.relforcerowsecurity,
  'isPartition', o.relispartition,
  'parent', (select inhparent::int from pg_inherits where inhrelid = o.oid limit 1),
  'partitionConstraint', case when o.relispartition then pg_get_partition_constraintdef(o.oid) end,
  'options', coalesce(to_json(o.reloptions), '[]'), 'comment', obj_description(o.oid, 'pg_class'),
  'usage', has_schema_privilege($1, n.oid, 'usage'),
  'privileges', ${list(
    'lower(p)',
    `unnest(case when o.relkind = 'S' then array['SELECT', 'USAGE', 'UPDATE']
      else array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'] end) p
      where case when o.relkind = 'S' then has_sequence_privilege($1, o.oid, p) else has_table_privilege($1, o.oid, p) end`,
  )},
  'columns', case when o.relkind = 'S' then '[]' else ${list(
    `json_build_object('name', a.attname, 'number', a.attnum, 'type', a.atttypid::int, 'modifier', a.atttypmod,
      'notNull', a.attnotnull, 'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
      'generated', a.attgenerated <> '',
      'generation', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
      'comment', col_description(o.oid, a.attnum), 'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
      'select', has_column_privilege($1, o.oid, a.attnum, 'select'),
      'insert', a.attgenerated = '' and has_column_privilege($1, o.oid, a.attnum, 'insert'),
      'update', a.attgenerated = '' and has_column_privilege($1, o.oid, a.attnum, 'update')) order by a.attnum`,
    `pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped`,
  )} end,
  'keys', ${list(
    `json_build_object('name', x.relname, 'kind', case when i.indisprimary then 'primary'
        when i.indisexclusion then 'exclusion' else 'unique' end,
      'columns', coalesce(${names('o.oid', 'i.indkey::int2[]')}, '[]'),
      'partial', i.indpred is not null or i.indexprs is not null) order by not i.indisprimary, x.relname`,
    `pg_index i join pg_class x on x.oid = i.indexrelid where i.indrelid = o.oid and (i.indisunique or i.indisexclusion)`,
  )},
  'foreignKeys', ${list(
    `json_build_object('name', c.conname, 'columns', ${names('o.oid', 'c.conkey')}, 'references', c.confrelid::int,
      'referenced', ${names('c.confrelid', 'c.confkey')}, 'deferrable', c.condeferrable) order by c.conname`,
    `pg_constraint c where c.conrelid = o.oid and c.contype = 'f' and not exists (
       select from pg_constraint p where p.oid = c.conparentid and p.conrelid = c.conrelid)`,
  )},
  'checks', ${list(
    `json_build_object('name', conname, 'expression', pg_get_expr(conbin, conrelid)) order by conname`,
    `pg_constraint where conrelid = o.oid and contype = 'c'`,
  )},
  'reads', ${list(
    'distinct d.refobjid::int',
    `pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
     where r.ev_class = o.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> o.oid`,
  )}) as row
from pg_class o join pg_namespace n on n.oid = o.relnamespace
where ${ours} and o.relkind in ('r', 'p', 'v', 'm', 'f', 'S') order by o.oid`;

export const policies = `
select json_build_object('table', p.polrelid::int, 'name', p.polname, 'permissive', p.polpermissive,
  'command', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
  'roles', (select json_agg(coalesce(nullif(r, 0)::regrole::text, 'public')) from unnest(p.polroles) r),
  'applies', (select bool_or(r = 0 or pg_has_role($1, r, 'usage')) from unnest(p.polroles) r),
  'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) as row
from pg_policy p order by p.polrelid, p.polname`;

export const triggers = `
select json_build_object('table', t.tgrelid::int, 'name', t.tgname, 'definition', pg_get_triggerdef(t.oid),
  'function', t.tgfoid::int) as row
from pg_trigger t where not t.tgisinternal order by t.tgrelid, t.tgname`;

export const routines = `
select json_build_object('oid', o.oid::int, 'schema', n.nspname, 'name', replace(o.oid::regprocedure::text, '"', ''),
  'sql', format('%I.%I', n.nspname, o.proname), 'kind', case o.prokind when 'p' then 'procedure' else 'function' end,
  'owner', o.proowner::regrole::text, 'definer', o.prosecdef, 'volatile', o.provolatile = 'v',
  'returnsSet', o.proretset, 'returns', o.prorettype::int,
  'source', coalesce(pg_get_function_sqlbody(o.oid), o.prosrc),
  'arguments', ${list(
    `json_build_object('name', coalesce(o.proargnames[x.place], ''), 'type', x.type::int,
      'hasDefault', x.input > o.pronargs - o.pronargdefaults, 'variadic', x.mode = 'v') order by x.place`,
    `(select u.type, u.place, coalesce(o.proargmodes[u.place], 'i') as mode, row_number() over (order by u.place) as input
      from unnest(coalesce(o.proallargtypes, o.proargtypes::oid[])) with ordinality u(type, place)
      where coalesce(o.proargmodes[u.place], 'i') in ('i', 'b', 'v')) x`,
  )},
  'executable', has_schema_privilege($1, n.oid, 'usage') and has_function_privilege($1, o.oid, 'execute')) as row
from pg_proc o join pg_namespace n on n.oid = o.pronamespace
where ${ours} and o.prokind in ('f', 'p') order by o.oid`;
