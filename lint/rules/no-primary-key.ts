import type { CatalogRule } from '../rule.ts';
import { ourRelations } from '../scopedObjects.ts';

/** The API names rows by it, and logical replication cannot update or delete without. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'a table has no primary key',
  query: `
    select c.object, null as detail
    from ${ourRelations} c
    where c.relkind in ('r', 'p') and not c.relispartition
      and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
    order by 1`,
};
