import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { tenantTables } from '../tenantTables.ts';

/** Half of the rules use the owner column, so the report has to show the tables that they cannot inspect. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'a tenant table has no owner column, so the rules about owner columns did not check it: add one',
  query: `
    select t.object, null as detail
    from ${tenantTables} t
    where not exists (select from ${ownerColumns} o where o.oid = t.oid)
    order by 1`,
};
