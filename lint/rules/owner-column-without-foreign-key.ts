import { tenantTables } from '../facts.ts';
import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';

/** Deleting an account promises that all of its rows are deleted. */
export const rule: CatalogRule = {
  level: 'warning',
  elsewhere: { notJudged: 'only Hedgerow says which table has the accounts' },
  title: 'rows do not go with the account that they belong to',
  query: `
    select format('%s.%I', t.object, o.attname) as object,
      case when exists (
        select from pg_constraint k
        where k.conrelid = t.oid and k.contype = 'f' and k.confdeltype in ('a', 'r') and o.attnum = any (k.conkey)
          and k.confrelid = to_regclass('app_public.users')
      ) then 'its foreign key keeps the account from being deleted: on delete cascade is missing' end as detail
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid
    -- Elsewhere tenants read what is kept on purpose, such as the audit log.
    where t.oid in (select c.oid from pg_class c where c.relnamespace = to_regnamespace('app_public'))
      and t.oid <> to_regclass('app_public.users')
      and not exists (
        select from pg_constraint k
        where k.conrelid = t.oid and k.contype = 'f' and k.confdeltype = 'c' and k.conkey = array[o.attnum]
          and k.confrelid = to_regclass('app_public.users')
      )
    order by 1`,
};
