import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { tenantRole } from '../scope.ts';
import { tenantTables } from '../tenantTables.ts';

/** A null in one column disables a composite foreign key for that row, and a unique key as well. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'the owner column of a table that tenants write can be null, which disables its composite keys: set not null',
  query: `
    select format('%s.%I', t.object, o.attname) as object, null as detail
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid
    where not o.attnotnull and has_any_column_privilege(${tenantRole}, t.oid, 'insert, update')
    order by 1`,
};
