import type { CatalogRule } from '../rule.ts';
import { tenantRole } from '../scope.ts';
import { ourRelations } from '../scopedObjects.ts';

/** The policies of a parent are asked only where the parent is named in the query. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a partition or inheriting table that tenants reach has no policies of its own',
  query: `
    select c.object, format('part of %s; read by its own name it has %s', (
        select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno) from pg_inherits i where i.inhrelid = c.oid
      ), case when c.relrowsecurity then 'row-level security that is not forced' else 'no row-level security' end) as detail
    from ${ourRelations} c
    where c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
      and exists (select from pg_inherits i where i.inhrelid = c.oid)
      and (has_any_column_privilege(${tenantRole}, c.oid, 'select, insert, update')
        or has_table_privilege(${tenantRole}, c.oid, 'delete'))
    order by 1`,
};
