import type { CatalogRule } from '../rule.ts';
import { scopedRelations, scopedSchemas } from '../scopedObjects.ts';

const grants = `format('PUBLIC has %s, so every role has it: revoke it and grant it to the roles that need it',
      string_agg(a.privilege_type, ', ' order by a.privilege_type))`;

/**
 * PUBLIC is every role, including those of other services and those created later. A rule of its own,
 * function-executable-by-public, covers functions.
 */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a privilege is granted to every role',
  query: `
    select c.object, ${grants} as detail
    from ${scopedRelations} c, aclexplode(c.relacl) a
    where a.grantee = 0
    group by c.object
    union all
    select format('%s.%I', c.object, b.attname), ${grants}
    from ${scopedRelations} c
    join pg_attribute b on b.attrelid = c.oid, aclexplode(b.attacl) a
    where a.grantee = 0
    group by c.object, b.attname
    union all
    select n.object, ${grants}
    from ${scopedSchemas} n, aclexplode(n.nspacl) a
    -- Every database has the schema public. Hedgerow has no objects in it.
    where n.nspname <> 'public' and a.grantee = 0
    group by n.object
    order by 1`,
};
