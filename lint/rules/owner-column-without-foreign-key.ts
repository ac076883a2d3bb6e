import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { tenantTables } from '../tenantTables.ts';

/** The deletion of an account or an organization promises to delete all of its rows. */
export const rule: CatalogRule = {
  level: 'warning',
  elsewhere: { notJudged: 'only Hedgerow defines which tables hold the accounts and organizations' },
  title:
    'rows are not deleted with the account that owns them: add a foreign key to app_public.users with on delete cascade',
  query: `
    with owner as materialized (select * from ${ownerColumns} o)
    select format('%s.%I', t.object, o.attname) as object,
      case when exists (
        select from pg_constraint k
        where k.conrelid = t.oid and k.contype = 'f' and k.confdeltype in ('a', 'r') and o.attnum = any (k.conkey)
          and k.confrelid = root
      ) then format('its foreign key blocks the deletion of the %s: add on delete cascade', tenant)
      when o.kind = 'group' then
        'rows are not deleted with the organization that owns them: add a foreign key to app_public.organizations with on delete cascade'
      end as detail
    from ${tenantTables} t
    join owner o on o.oid = t.oid,
    lateral (select case o.kind when 'user' then to_regclass('app_public.users')
        else to_regclass('app_public.organizations') end as root,
      case o.kind when 'user' then 'account' else 'organization' end as tenant) belongs
    -- Tables of other schemas keep rows on purpose, such as the audit log.
    where t.oid in (select c.oid from pg_class c where c.relnamespace = to_regnamespace('app_public'))
      and t.oid <> root
      and not exists (
        select from pg_constraint k
        join owner parent on parent.oid = k.confrelid and parent.kind = o.kind,
        lateral unnest(k.conkey, k.confkey) as pair (child, parent)
        where k.conrelid = t.oid and k.confrelid <> t.oid and k.contype = 'f' and k.confdeltype = 'c'
          and pair.child = o.attnum and pair.parent = parent.attnum
          -- A null in another column of the key disables it for that row.
          and not exists (
            select from pg_attribute a
            where a.attrelid = t.oid and a.attnum = any (k.conkey) and a.attnum <> o.attnum and not a.attnotnull
          )
      )
    order by 1`,
};
