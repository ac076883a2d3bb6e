import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** The API identifies rows by their primary key. Logical replication needs one for updates and deletes. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'a table has no primary key, so the API cannot address a row: add one',
  query: `
    select c.object, null as detail
    from ${scopedRelations} c
    where c.relkind in ('r', 'p') and not c.relispartition
      and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
    order by 1`,
};
