import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { guardedColumns } from '../scope.ts';
import { writtenByTenants } from '../scopedObjects.ts';
import { tenantTables } from '../tenantTables.ts';

/** Postgres checks foreign keys without policies. A key without the owner accepts rows that the tenant cannot see. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a foreign key accepts rows of another tenant',
  query: `
    with owner as materialized (select * from ${ownerColumns} o)
    select format('constraint %I on %s', k.conname, t.object) as object,
      format('does not pair %I with %s.%I, so it accepts rows of other tenants: add the owner columns to the key',
        child.attname, k.confrelid::regclass, parent.attname) as detail
    from ${tenantTables} t
    join pg_constraint k on k.conrelid = t.oid and k.contype = 'f' and k.conparentid = 0
    join owner child on child.oid = k.conrelid
    join owner parent on parent.oid = k.confrelid
    where not exists (
        select from unnest(k.conkey, k.confkey) as pair (child, parent)
        where pair.child = child.attnum and pair.parent = parent.attnum
      )
      -- A policy may check that the tenant may refer to the row, such as a room that is theirs.
      and not exists (select from ${guardedColumns} as g (oid oid, attnum int2) where g.oid = t.oid and g.attnum = any (k.conkey))
      -- If tenants may write none of the columns, only sign-in and migrations choose the referenced row.
      and exists (
        select from pg_attribute a where a.attrelid = t.oid and a.attnum = any (k.conkey) and ${writtenByTenants}
      )
    order by 1`,
};
