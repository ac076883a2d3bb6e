import type { CatalogRule } from '../rule.ts';
import { ourRelations } from '../scopedObjects.ts';

/** A foreign table is read by the other server, as the user that it knows, without policies of this one. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a foreign table that tenants reach, which cannot have row-level security',
  query: `
    select c.object, null as detail
    from ${ourRelations} c
    where c.relkind = 'f' and c.reached
    order by 1`,
};
