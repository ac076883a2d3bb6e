import type { CatalogRule } from '../rule.ts';
import { scopedSchemas } from '../scopedObjects.ts';
import { tenantRoles } from '../tenantTables.ts';

/** Without USAGE on the schema, no grant on its objects has an effect. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow has the schema app_private' },
  title: 'tenants have USAGE on app_private',
  query: `
    select n.object,
      format('%s has USAGE, so any grant on a table in it exposes sign-in data: revoke it',
        coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC')) as detail
    from ${scopedSchemas} n, aclexplode(n.nspacl) a
    where n.nspname = 'app_private' and a.privilege_type = 'USAGE' and a.grantee in ${tenantRoles}
    order by 1, 2`,
};
