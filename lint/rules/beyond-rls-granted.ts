import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';
import { tenantRoles } from '../tenantTables.ts';

/** These privileges act on the whole table, so Postgres evaluates no policy for them. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'tenants have a table privilege that row-level security does not restrict',
  query: `
    select g.object,
      format('%s has %s, which no policy restricts: revoke it',
        g.grantee, string_agg(distinct g.privilege, ', ' order by g.privilege)) as detail
    from (
      select c.object, coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC') as grantee, a.privilege_type as privilege
      from ${scopedRelations} c, aclexplode(c.relacl) a
      where a.grantee in ${tenantRoles}
      union all
      select c.object, coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'),
        format('%s (%I)', a.privilege_type, b.attname)
      from ${scopedRelations} c
      join pg_attribute b on b.attrelid = c.oid, aclexplode(b.attacl) a
      where a.grantee in ${tenantRoles}
    ) g
    where g.privilege ~ '^(TRUNCATE|REFERENCES|TRIGGER|MAINTAIN)'
    group by g.object, g.grantee
    order by 1, 2`,
};
