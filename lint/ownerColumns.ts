import { apiSchema, foundOwners } from './scope.ts';
import { ourRelations } from './scopedObjects.ts';

const escaped = String.raw`regexp_replace(quote_ident(a.attname), '(\W)', '\\\1', 'g')`;

// As Postgres prints `user_id = (select app_public.current_user_id())`: with or without the subselect, either way round.
const comparedWithHelper = String.raw`
  concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) ~ concat(
    '(^|[^\w"])', ${escaped}, ' = (\( SELECT )?app_public\.current_user_id\(\)|',
    'app_public\.current_user_id\(\)( AS current_user_id\))? = (\w+\.)?', ${escaped}, '($|[^\w"])'
  )`;

/**
 * The owner column of every table that has one, as a subquery to put after `from`: `oid` of the table, `attnum`, `attname`
 * and `attnotnull` of the column whose value says which tenant a row belongs to. On a database that is not Hedgerow's they
 * are found beforehand (findOwners.ts); on Hedgerow's the first of these that there is:
 *
 * 1. in app_public.users, `id`;
 * 2. the column whose default is app_public.current_user_id();
 * 3. the column that a policy compares with it;
 * 4. the column that refers to app_public.users by itself;
 * 5. a column of the name `user_id`.
 */
export const ownerColumns = `(
  select oid, attnum, attname, attnotnull from (
  select distinct on (a.attrelid) a.attrelid as oid, a.attnum, a.attname, a.attnotnull
  from ${ourRelations} c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped,
  lateral (select case
    when c.oid = to_regclass('app_public.users') then case when a.attname = 'id' then 1 end
    when exists (
      select from pg_attrdef f
      join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
      where f.adrelid = a.attrelid and f.adnum = a.attnum
        and d.refclassid = 'pg_proc'::regclass and d.refobjid = to_regprocedure('app_public.current_user_id()')
    ) then 2
    when exists (select from pg_policy p where p.polrelid = a.attrelid and (${comparedWithHelper})) then 3
    when exists (
      select from pg_constraint k
      where k.conrelid = a.attrelid and k.contype = 'f' and k.conkey = array[a.attnum]
        and k.confrelid = to_regclass('app_public.users')
    ) then 4
    when a.attname = 'user_id' then 5
  end as choice) chosen
  where c.relkind in ('r', 'p') and choice is not null and ${apiSchema} <> ''
  order by a.attrelid, choice, a.attnum
  ) of_hedgerow
  union all
  select a.attrelid, a.attnum, a.attname, a.attnotnull
  from json_to_recordset(${foundOwners}) as o (oid oid, attnum int2)
  join pg_attribute a on a.attrelid = o.oid and a.attnum = o.attnum
)`;
