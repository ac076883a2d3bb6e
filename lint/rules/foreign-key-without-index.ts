import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** Postgres requires an index on the referenced columns, and creates none on the referencing columns. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'no index starts with the columns of a foreign key',
  query: String.raw`
    select format('constraint %I on %s', k.conname, c.object) as object,
      format('no index starts with (%s), so each delete from %s scans the rows of all tenants: create one', (
        select string_agg(quote_ident(a.attname), ', ' order by key.n)
        from unnest(k.conkey) with ordinality as key (attnum, n)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = key.attnum
      ), k.confrelid::regclass) as detail
    from ${scopedRelations} c
    join pg_constraint k on k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0
    where not exists (
      select from pg_index i
      join pg_class x on x.oid = i.indexrelid
      join pg_am m on m.oid = x.relam
      where i.indrelid = k.conrelid and i.indisvalid and m.amname in ('btree', 'hash')
        and i.indnkeyatts >= cardinality(k.conkey)
        -- The order of the columns does not matter.
        and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
        -- The foreign key check compares with =, which excludes nulls too.
        and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
    )
    order by 1`,
};
