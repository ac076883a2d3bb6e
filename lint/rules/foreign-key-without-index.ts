import type { CatalogRule } from '../rule.ts';
import { ourRelations } from '../scopedObjects.ts';

/** Postgres indexes what a foreign key refers to, and never what refers. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'no index begins with the columns of a foreign key',
  query: String.raw`
    select format('constraint %I on %s', k.conname, c.object) as object,
      format('no index begins with (%s): deleting from %s reads the whole table', (
        select string_agg(quote_ident(a.attname), ', ' order by key.n)
        from unnest(k.conkey) with ordinality as key (attnum, n)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = key.attnum
      ), k.confrelid::regclass) as detail
    from ${ourRelations} c
    join pg_constraint k on k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0
    where not exists (
      select from pg_index i
      join pg_class x on x.oid = i.indexrelid
      join pg_am m on m.oid = x.relam
      where i.indrelid = k.conrelid and i.indisvalid and m.amname in ('btree', 'hash')
        and i.indnkeyatts >= cardinality(k.conkey)
        -- In any order.
        and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
        -- The check asks for equality, which leaves out nulls as well.
        and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
    )
    order by 1`,
};
