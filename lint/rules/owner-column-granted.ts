import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { tenantRole } from '../scope.ts';
import { tenantTables } from '../tenantTables.ts';

/** Columns that a tenant may write are inputs of the API. Then a single policy protects the rows of other tenants. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'tenants may write the owner column',
  query: `
    select format('%s.%I', t.object, o.attname) as object,
      format('%s may %s it%s, so only a policy check keeps a row with its tenant: revoke the grant', ${tenantRole},
        case when inserts and updates then 'insert and update' when inserts then 'insert' else 'update' end,
        case when has_table_privilege(${tenantRole}, t.oid, 'insert')
          or has_table_privilege(${tenantRole}, t.oid, 'update') then ' through a grant on the whole table' end) as detail
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid,
    lateral (select has_column_privilege(${tenantRole}, t.oid, o.attnum, 'insert') as inserts,
      has_column_privilege(${tenantRole}, t.oid, o.attnum, 'update') as updates) granted
    where inserts or updates
    order by 1`,
};
