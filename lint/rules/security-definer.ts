import type { CatalogRule } from '../rule.ts';
import { ownerRole, tenantRole } from '../scope.ts';
import { scopedFunctions } from '../scopedObjects.ts';

/**
 * Hedgerow has no such functions. It uses roles with specific grants instead. Policies by membership may need one, to
 * look up memberships without evaluating the policies of memberships again.
 */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a function runs with the rights of its owner (security definer)',
  query: `
    select f.object,
      format('runs with the rights of %s for every caller, not under the policies of the tenant: make it security invoker',
        f.proowner::regrole) as detail,
      case when f.provolatile <> 'v' and exists (
        select from pg_depend d
        where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid
      ) then 'warning' end as level
    from ${scopedFunctions} f
    where f.prosecdef
      -- In other databases, report only functions that tenants can call. Nobody calls a trigger function directly.
      and (${ownerRole} is not null
        or f.prorettype <> 'trigger'::regtype and has_function_privilege(${tenantRole}, f.oid, 'execute'))
    order by 1`,
};
