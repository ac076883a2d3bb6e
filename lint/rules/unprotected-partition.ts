import type { CatalogRule } from '../rule.ts';
import { tenantRole } from '../scope.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** The policies of a parent apply only to queries that name the parent. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'tenants can reach a partition or child table that has no effective policies of its own',
  query: `
    select c.object,
      format('is part of %s, but has %s when a query names it: revoke its grants, or enable and force row-level security',
      (
        select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno) from pg_inherits i where i.inhrelid = c.oid
      ), case when c.relrowsecurity then 'row-level security that is not forced' else 'no row-level security' end) as detail
    from ${scopedRelations} c
    where c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
      and exists (select from pg_inherits i where i.inhrelid = c.oid)
      and (has_any_column_privilege(${tenantRole}, c.oid, 'select, insert, update')
        or has_table_privilege(${tenantRole}, c.oid, 'delete'))
    order by 1`,
};
