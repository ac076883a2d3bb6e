import { tenantRoles } from '../facts.ts';
import type { CatalogRule } from '../rule.ts';
import { ourSchemas } from '../scopedObjects.ts';

/** Without USAGE no grant inside of the schema counts for anything: it is the outer door. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow has the schema app_private' },
  title: 'tenants may enter app_private',
  query: `
    select n.object, format('%s has USAGE', coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC')) as detail
    from ${ourSchemas} n, aclexplode(n.nspacl) a
    where n.nspname = 'app_private' and a.privilege_type = 'USAGE' and a.grantee in ${tenantRoles}
    order by 1, 2`,
};
