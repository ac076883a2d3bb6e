import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** The other server reads a foreign table as the mapped user, so no policy of this database applies. */
export const rule: CatalogRule = {
  level: 'error',
  title:
    'tenants can reach a foreign table, which cannot have row-level security: move it out of the API schema and revoke its grants',
  query: `
    select c.object, null as detail
    from ${scopedRelations} c
    where c.relkind = 'f' and c.reached
    order by 1`,
};
