import type { CatalogRule } from '../rule.ts';
import { ourRelations } from '../scopedObjects.ts';

/** A materialized view is a copy of rows without the policies of where they came from. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a materialized view that tenants reach, which cannot have row-level security',
  query: `
    select c.object, null as detail
    from ${ourRelations} c
    where c.relkind = 'm' and c.reached
    order by 1`,
};
