import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** A failed `create index concurrently` leaves an invalid index. So does `on only` for a partitioned table. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'an index is not valid, so no query uses it',
  query: `
    select 'index ' || i.indexrelid::regclass as object,
      format('is on %s and slows down writes, but %s: reindex or drop it', c.object,
        case when i.indisunique then 'older rows can contain duplicates' else 'no query uses it' end) as detail
    from pg_index i
    join ${scopedRelations} c on c.oid = i.indrelid
    where not i.indisvalid
    order by 1`,
};
