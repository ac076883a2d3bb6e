import type { CatalogRule } from '../rule.ts';
import { ourRelations } from '../scopedObjects.ts';

/** Left behind by `create index concurrently` that failed, and by `on only` of a partitioned table. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'an index is not valid: no query uses it',
  query: `
    select 'index ' || i.indexrelid::regclass as object,
      format('is on %s; writes keep it up to date, %s', c.object,
        case when i.indisunique then 'and rows that were there before it may be there twice' else 'and no query uses it' end) as detail
    from pg_index i
    join ${ourRelations} c on c.oid = i.indrelid
    where not i.indisvalid
    order by 1`,
};
