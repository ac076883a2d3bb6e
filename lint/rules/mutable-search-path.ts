import type { CatalogRule } from '../rule.ts';
import { serverRoles } from '../scope.ts';
import { scopedFunctions } from '../scopedObjects.ts';

/**
 * Postgres parses a string body at each call and resolves its names with the search_path of the caller. It binds a
 * `begin atomic` body when the function is created. The rule does not look inside string bodies, because Postgres does
 * not record the names in them.
 */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title:
    'a function resolves names with the search_path of its caller, which can substitute other objects: use begin atomic or set search_path',
  query: `
    select f.object, null as detail
    from ${scopedFunctions} f
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
