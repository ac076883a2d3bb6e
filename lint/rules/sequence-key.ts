import type { CatalogRule } from '../rule.ts';
import { tenantRole } from '../scope.ts';
import { tenantRoles, tenantTables } from '../tenantTables.ts';

/** All tenants share a sequence, so its values reveal how many rows they create. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a sequence that all tenants share reveals their activity',
  query: `
    select format('%s.%I', t.object, a.attname) as object,
      'counts the rows of all tenants and so reveals their activity: use a uuid' as detail
    from ${tenantTables} t
    join pg_class c on c.oid = t.oid
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where not c.relispartition
      and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) like '%nextval(%')
      and (
        has_column_privilege(${tenantRole}, t.oid, a.attnum, 'select')
        or exists (select from pg_index i where i.indrelid = t.oid and i.indisunique and a.attnum = any (i.indkey))
      )
    union all
    select s.oid::regclass::text,
      format('%s may %s, which reveals the activity of all tenants: revoke it',
        coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'),
        string_agg(case a.privilege_type when 'SELECT' then 'read its last value' when 'USAGE' then 'take numbers from it'
          else 'set it' end, ', ' order by a.privilege_type))
    from pg_class s, aclexplode(s.relacl) a
    where s.relkind = 'S' and a.grantee in ${tenantRoles}
    group by s.oid, a.grantee
    order by 1`,
};
