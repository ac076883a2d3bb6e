import { foundOwners } from './scope.ts';
import { scopedRelations } from './scopedObjects.ts';

const escaped = String.raw`regexp_replace(quote_ident(a.attname), '(\W)', '\\\1', 'g')`;

// Matches `user_id = (select app_public.current_user_id())` as Postgres prints it: with or without the subselect, and
// with the sides in either order.
const comparedWith = (helper: string) => String.raw`
  exists (
    select from pg_policy p where p.polrelid = a.attrelid
      and concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) ~ concat(
        '(^|[^\w"])', ${escaped}, ' = (\( SELECT )?app_public\.${helper}\(\)|',
        'app_public\.${helper}\(\)( AS ${helper}\))? = (\w+\.)?', ${escaped}, '($|[^\w"])'
      )
  )`;

const defaultsTo = (helper: string) => `
  exists (
    select from pg_attrdef f
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
    where f.adrelid = a.attrelid and f.adnum = a.attnum
      and d.refclassid = 'pg_proc'::regclass and d.refobjid = to_regprocedure('app_public.${helper}()')
  )`;

const isId = (table: string) => `(c.oid = to_regclass('app_public.${table}') and a.attname = 'id')`;

/** A foreign key, also one of several columns, pairs the column with the id of a table. */
const references = (table: string, column = 'a') => `
  exists (
    select from pg_constraint k, unnest(k.conkey, k.confkey) as pair (child, parent)
    join pg_attribute i on i.attname = 'id' and i.attnum = pair.parent
    where k.conrelid = ${column}.attrelid and k.contype = 'f' and pair.child = ${column}.attnum
      and k.confrelid = to_regclass('app_public.${table}') and i.attrelid = k.confrelid
  )`;

/**
 * The owner column of each table that has one, as a subquery after `from`. The value of an owner column identifies the
 * tenant of the row: a user or an organization. The columns of the subquery are `oid` of the table, `attnum`,
 * `attname`, `attnotnull`, and `kind` (`user` or `group`).
 *
 * The linter determines the owner columns before it applies the rules: by this file on Hedgerow's database, and by
 * findOwners.ts elsewhere.
 */
export const ownerColumns = `(
  select a.attrelid as oid, a.attnum, a.attname, a.attnotnull, o.kind
  from json_to_recordset(${foundOwners}) as o (oid oid, attnum int2, kind text)
  join pg_attribute a on a.attrelid = o.oid and a.attnum = o.attnum
)`;

/**
 * Finds the owner columns of Hedgerow's database. The first match of this list is the owner column. A row with an
 * organization and a user belongs to the organization.
 *
 * 1. `id` in app_public.users and app_public.organizations;
 * 2. the column with the default app_public.current_organization_id();
 * 3. the column that a policy compares with that function, unless its default or a foreign key says that it is a user;
 * 4. the column with the default app_public.current_user_id();
 * 5. the column that a policy compares with that function;
 * 6. the column with a foreign key to app_public.organizations, or named `organization_id`;
 * 7. the column with a foreign key to app_public.users, or named `user_id`.
 *
 * A membership also has the column of its user, `member`: its primary key pairs the organization with a user.
 */
export const ownersOfHedgerow = `
  select distinct on (a.attrelid) a.attrelid::text as oid, a.attnum, chosen.kind,
    case when chosen.kind = 'group' then (
      select member.attnum from pg_index i
      join pg_attribute member on member.attrelid = i.indrelid and member.attnum = any (i.indkey)
      where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any (i.indkey)
        and ${references('users', 'member')}
      limit 1
    ) end as member
  from ${scopedRelations} c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped,
  lateral (select a.attname = 'organization_id' or ${references('organizations')} as names_group,
    a.attname = 'user_id' or ${references('users')} as names_user) named,
  lateral (values
    (1, 'user', ${isId('users')}),
    (1, 'group', ${isId('organizations')}),
    (2, 'group', ${defaultsTo('current_organization_id')}),
    (3, 'group', not names_user and not ${defaultsTo('current_user_id')} and ${comparedWith('current_organization_id')}),
    (4, 'user', ${defaultsTo('current_user_id')}),
    (5, 'user', not names_group and ${comparedWith('current_user_id')}),
    (6, 'group', names_group),
    (7, 'user', names_user)
  ) chosen (choice, kind, fits)
  where c.relkind in ('r', 'p') and fits
  order by a.attrelid, choice, a.attnum`;
