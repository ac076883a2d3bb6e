import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { tenantTables } from '../tenantTables.ts';

/** Policies add a comparison with the owner column to every statement. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'no index starts with the owner column, so every request scans the rows of all tenants: create one',
  query: `
    select format('%s.%I', t.object, o.attname) as object, null as detail
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid
    join pg_class c on c.oid = t.oid
    where not c.relispartition
      and not exists (
        select from pg_index i
        join pg_class x on x.oid = i.indexrelid
        join pg_am m on m.oid = x.relam
        where i.indrelid = t.oid and i.indisvalid and i.indpred is null and i.indkey[0] = o.attnum
          and m.amname in ('btree', 'hash')
      )
    order by 1`,
};
