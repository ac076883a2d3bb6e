import { tenantTables } from '../linter/facts.ts';
import { ownerColumns } from '../linter/ownerColumns.ts';
import type { CatalogRule } from '../linter/rule.ts';

/** What a tenant may write is an input of the API, and the only thing between it and another tenant is one policy. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'tenants may write the column that says whose a row is',
  query: `
    select format('%s.%I', t.object, o.attname) as object,
      format('hedgerow_tenant may %s it%s',
        case when inserts and updates then 'insert and update' when inserts then 'insert' else 'update' end,
        case when has_table_privilege('hedgerow_tenant', t.oid, 'insert')
          or has_table_privilege('hedgerow_tenant', t.oid, 'update') then ', by a grant on the whole table' end) as detail
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid,
    lateral (select has_column_privilege('hedgerow_tenant', t.oid, o.attnum, 'insert') as inserts,
      has_column_privilege('hedgerow_tenant', t.oid, o.attnum, 'update') as updates) granted
    where inserts or updates
    order by 1`,
};
