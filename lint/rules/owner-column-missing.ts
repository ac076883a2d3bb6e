import { tenantTables } from '../facts.ts';
import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';

/** Half of the rules ask of the owner column; what they cannot inspect has to be seen. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'no column says whose a row is, so that no rule about owners was applied',
  query: `
    select t.object, null as detail
    from ${tenantTables} t
    where not exists (select from ${ownerColumns} o where o.oid = t.oid)
    order by 1`,
};
