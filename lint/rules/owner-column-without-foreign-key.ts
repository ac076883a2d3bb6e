import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { tenantTables } from '../tenantTables.ts';

/** Account deletion promises to delete all rows of the account. */
export const rule: CatalogRule = {
  level: 'warning',
  elsewhere: { notJudged: 'only Hedgerow defines which table holds the accounts' },
  title:
    'rows are not deleted with the account that owns them: add a foreign key to app_public.users with on delete cascade',
  query: `
    select format('%s.%I', t.object, o.attname) as object,
      case when exists (
        select from pg_constraint k
        where k.conrelid = t.oid and k.contype = 'f' and k.confdeltype in ('a', 'r') and o.attnum = any (k.conkey)
          and k.confrelid = to_regclass('app_public.users')
      ) then 'its foreign key blocks the deletion of the account: add on delete cascade' end as detail
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid
    -- Tables of other schemas keep rows on purpose, such as the audit log.
    where t.oid in (select c.oid from pg_class c where c.relnamespace = to_regnamespace('app_public'))
      and t.oid <> to_regclass('app_public.users')
      and not exists (
        select from pg_constraint k
        where k.conrelid = t.oid and k.contype = 'f' and k.confdeltype = 'c' and k.conkey = array[o.attnum]
          and k.confrelid = to_regclass('app_public.users')
      )
    order by 1`,
};
