import type { CatalogRule } from '../rule.ts';
import { ownerRole, tenantRole } from '../scope.ts';
import { ourFunctions } from '../scopedObjects.ts';

/** Hedgerow has none: a role with the right grants does what they are made for. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a function runs with the rights of its owner',
  query: `
    select f.object, 'runs with the rights of ' || f.proowner::regrole || ', whichever role calls it' as detail
    from ${ourFunctions} f
    where f.prosecdef
      -- Elsewhere one is of interest where tenants can call it; nobody calls a trigger's.
      and (${ownerRole} is not null
        or f.prorettype <> 'trigger'::regtype and has_function_privilege(${tenantRole}, f.oid, 'execute'))
    order by 1`,
};
