import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** A materialized view copies rows and leaves the policies of their tables behind. */
export const rule: CatalogRule = {
  level: 'error',
  title:
    'tenants can reach a materialized view, which cannot have row-level security: move it out of the API schema and revoke its grants',
  query: `
    select c.object, null as detail
    from ${scopedRelations} c
    where c.relkind = 'm' and c.reached
    order by 1`,
};
