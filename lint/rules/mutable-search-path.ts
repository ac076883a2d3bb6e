import type { CatalogRule } from '../rule.ts';
import { serverRoles } from '../scope.ts';
import { ourFunctions } from '../scopedObjects.ts';

/**
 * A body that is a string is read again at each call, and its names mean what the caller's search_path says. One between
 * `begin atomic` and `end` was bound when it was created. What a string says is not looked into: there is no telling.
 */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'what a function does depends on the search_path of its caller',
  query: `
    select f.object, null as detail
    from ${ourFunctions} f
    join pg_language l on l.oid = f.prolang
    where f.prokind <> 'a' and f.prosqlbody is null and l.lanname not in ('internal', 'c')
      and not exists (select from unnest(f.proconfig) setting where starts_with(setting, 'search_path='))
      and (
        exists (select from ${serverRoles} r where has_function_privilege(r.oid, f.oid, 'execute'))
        -- Policies, triggers, defaults, views, constraints, indexes.
        or exists (select from pg_depend d where d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid)
      )
    order by 1`,
};
