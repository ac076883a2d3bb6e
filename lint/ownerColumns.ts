import { apiSchema, foundOwners } from './scope.ts';
import { scopedRelations } from './scopedObjects.ts';

const escaped = String.raw`regexp_replace(quote_ident(a.attname), '(\W)', '\\\1', 'g')`;

// Matches `user_id = (select app_public.current_user_id())` as Postgres prints it: with or without the subselect, and
// with the sides in either order.
const comparedWithHelper = String.raw`
  concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) ~ concat(
    '(^|[^\w"])', ${escaped}, ' = (\( SELECT )?app_public\.current_user_id\(\)|',
    'app_public\.current_user_id\(\)( AS current_user_id\))? = (\w+\.)?', ${escaped}, '($|[^\w"])'
  )`;

/**
 * The owner column of each table that has one, as a subquery after `from`. The value of an owner column identifies the
 * tenant of the row. The columns of the subquery are `oid` of the table, `attnum`, `attname` and `attnotnull`.
 *
 * On a database that is not Hedgerow's, findOwners.ts determines the owner columns beforehand. On Hedgerow's own, the
 * first match of this list is the owner column:
 *
 * 1. `id` in app_public.users;
 * 2. the column with the default app_public.current_user_id();
 * 3. the column that a policy compares with app_public.current_user_id();
 * 4. the column with a single-column foreign key to app_public.users;
 * 5. a column named `user_id`.
 */
export const ownerColumns = `(
  select oid, attnum, attname, attnotnull from (
  select distinct on (a.attrelid) a.attrelid as oid, a.attnum, a.attname, a.attnotnull
  from ${scopedRelations} c
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
