import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';

const action = (code: string) =>
  `case ${code} when 'c' then 'cascade' when 'n' then 'set null' when 'd' then 'set default' end`;

/** Postgres applies the actions of a foreign key to the referencing rows without evaluating policies. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a foreign key action changes rows of another tenant',
  query: `
    with owner as materialized (select * from ${ownerColumns} o)
    select format('constraint %I on %s', k.conname, c.object) as object,
      case when paired then
        format('on delete %s also resets %I, so the row loses its owner: list only the other columns, as in on delete set null (…)',
          deleted, child.attname)
      else
        format('on %s changes rows of %s whose %I differs from that of %s: add the owner columns to the key',
          concat_ws(', on ', 'delete ' || deleted, 'update ' || updated), c.object, child.attname, k.confrelid::regclass)
      end as detail
    from ${scopedRelations} c
    join pg_constraint k on k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0
    join owner child on child.oid = k.conrelid
    join owner parent on parent.oid = k.confrelid,
    lateral (
      select ${action('k.confdeltype')} as deleted, ${action('k.confupdtype')} as updated,
        exists (
          select from unnest(k.conkey, k.confkey) as pair (child, parent)
          where pair.child = child.attnum and pair.parent = parent.attnum
        ) as paired
    ) does
    where case when paired then
        -- Without a column list, the action sets every column of the key, so the row would lose its owner.
        k.confdeltype in ('n', 'd') and cardinality(k.conkey) > 1
          and child.attnum = any (coalesce(k.confdelsetcols, k.conkey))
      else (deleted is not null or updated is not null)
        -- A membership: a row for a user in an organization, which goes with either.
        and not (
          child.kind = 'group' and k.confrelid = to_regclass('app_public.users') and exists (
            select from pg_index i, unnest(k.conkey, k.confkey) as pair (child, parent)
            where i.indrelid = k.conrelid and i.indisprimary and pair.parent = parent.attnum
              and child.attnum = any (i.indkey) and pair.child = any (i.indkey)
          )
        ) end
    order by 1`,
};
