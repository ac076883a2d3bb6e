import type { CatalogRule } from '../rule.ts';
import { ourRelations, ourSchemas } from '../scopedObjects.ts';

/** PUBLIC is every role, those of other services and of later years too. Functions have a rule of their own. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'something is granted to every role',
  query: `
    select c.object, 'PUBLIC has ' || string_agg(a.privilege_type, ', ' order by a.privilege_type) as detail
    from ${ourRelations} c, aclexplode(c.relacl) a
    where a.grantee = 0
    group by c.object
    union all
    select format('%s.%I', c.object, b.attname), 'PUBLIC has ' || string_agg(a.privilege_type, ', ' order by a.privilege_type)
    from ${ourRelations} c
    join pg_attribute b on b.attrelid = c.oid, aclexplode(b.attacl) a
    where a.grantee = 0
    group by c.object, b.attname
    union all
    select n.object, 'PUBLIC has ' || string_agg(a.privilege_type, ', ' order by a.privilege_type)
    from ${ourSchemas} n, aclexplode(n.nspacl) a
    -- Every database has the schema public; nothing of ours is in it.
    where n.nspname <> 'public' and a.grantee = 0
    group by n.object
    order by 1`,
};
