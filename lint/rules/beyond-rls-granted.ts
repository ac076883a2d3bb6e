import { tenantRoles } from '../facts.ts';
import type { CatalogRule } from '../rule.ts';
import { ourRelations } from '../scopedObjects.ts';

/** No policy is asked for these: they are about the table and not about rows. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'tenants have a right that row-level security has no say in',
  query: `
    select g.object, format('%s has %s', g.grantee, string_agg(distinct g.privilege, ', ' order by g.privilege)) as detail
    from (
      select c.object, coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC') as grantee, a.privilege_type as privilege
      from ${ourRelations} c, aclexplode(c.relacl) a
      where a.grantee in ${tenantRoles}
      union all
      select c.object, coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'),
        format('%s (%I)', a.privilege_type, b.attname)
      from ${ourRelations} c
      join pg_attribute b on b.attrelid = c.oid, aclexplode(b.attacl) a
      where a.grantee in ${tenantRoles}
    ) g
    where g.privilege ~ '^(TRUNCATE|REFERENCES|TRIGGER|MAINTAIN)'
    group by g.object, g.grantee
    order by 1, 2`,
};
