import { tenantTables } from '../facts.ts';
import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { tenantRole } from '../scope.ts';

/** One null switches a composite foreign key off, and a unique key as well. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'the owner column of a table that tenants write may be null',
  query: `
    select format('%s.%I', t.object, o.attname) as object, null as detail
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid
    where not o.attnotnull and has_any_column_privilege(${tenantRole}, t.oid, 'insert, update')
    order by 1`,
};
