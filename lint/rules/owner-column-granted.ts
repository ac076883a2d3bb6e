import { tenantTables } from '../facts.ts';
import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { tenantRole } from '../scope.ts';

/** What a tenant may write is an input of the API, and the only thing between it and another tenant is one policy. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'tenants may write the column that says whose a row is',
  query: `
    select format('%s.%I', t.object, o.attname) as object,
      format('%s may %s it%s', ${tenantRole},
        case when inserts and updates then 'insert and update' when inserts then 'insert' else 'update' end,
        case when has_table_privilege(${tenantRole}, t.oid, 'insert')
          or has_table_privilege(${tenantRole}, t.oid, 'update') then ', by a grant on the whole table' end) as detail
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid,
    lateral (select has_column_privilege(${tenantRole}, t.oid, o.attnum, 'insert') as inserts,
      has_column_privilege(${tenantRole}, t.oid, o.attnum, 'update') as updates) granted
    where inserts or updates
    order by 1`,
};
