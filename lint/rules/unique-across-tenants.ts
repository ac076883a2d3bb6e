import { ownerColumns } from '../ownerColumns.ts';
import type { CatalogRule } from '../rule.ts';
import { writtenByTenants } from '../scopedObjects.ts';
import { tenantTables } from '../tenantTables.ts';

/**
 * A unique index rejects a value that any tenant has, and so reveals rows that policies hide. Tenants cannot probe an
 * index if they can write none of its columns, as with the email addresses in app_public.users.
 */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a key that is unique across tenants reveals values of other tenants',
  query: `
    select format('%s %I on %s', case when k.oid is null then 'index' else 'constraint' end,
        coalesce(k.conname, x.relname), t.object) as object,
      format('%s does not include %I%s, so a conflict reveals a row of another tenant: add it to the key',
        case when i.indisprimary then 'primary key' when k.contype = 'x' then 'exclusion constraint'
        else 'unique key' end, o.attname, case when k.contype = 'x' then ' with =' end) as detail,
      -- Nobody guesses a random uuid. A client who may choose it can only test whether a known one exists.
      case when i.indnkeyatts = 1 and exists (
        select from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = t.oid and a.attnum = i.indkey[0] and a.atttypid = 'uuid'::regtype
          and pg_get_expr(d.adbin, d.adrelid) ~ '^([[:alnum:]_]+\\.)?(gen_random_uuid|uuid_generate_v4|uuidv[47])\\(\\)$'
      ) then 'warning' end as level
    from ${tenantTables} t
    join ${ownerColumns} o on o.oid = t.oid
    join pg_index i on i.indrelid = t.oid and (i.indisunique or i.indisexclusion)
    join pg_class x on x.oid = i.indexrelid
    left join pg_constraint k on k.conindid = x.oid and k.conrelid = t.oid and k.contype in ('p', 'u', 'x')
    -- Indexes of partitions belong to the index of their parent.
    where not x.relispartition
      and not exists (
        select from generate_series(0, i.indnkeyatts - 1) n
        where i.indkey[n] = o.attnum
          and (k.conexclop is null or (select oprname from pg_operator p where p.oid = k.conexclop[n + 1]) = '=')
      )
      and exists (
        select from pg_attribute a
        where a.attrelid = t.oid
          and (
            a.attnum = any (i.indkey)
            -- Columns in expressions and in the predicate of a partial index.
            or exists (
              select from pg_depend d
              where d.classid = 'pg_class'::regclass and d.objid = x.oid
                and d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.refobjsubid in (a.attnum, 0)
            )
          )
          and ${writtenByTenants}
      )
    order by 1`,
};
