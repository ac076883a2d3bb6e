import type { CatalogRule } from '../rule.ts';
import { ourFunctions } from '../scopedObjects.ts';

/** The body that counts, without white space, parentheses and casts to text: Postgres prints it with more or fewer. */
const body = String.raw`^(select|return)nullifcurrent_setting''app\.current_user_id'',true,''''::uuid$`;

/** Every policy, default and other rule takes this function at its word. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow has the function app_public.current_user_id()' },
  title: 'app_public.current_user_id() is not the setting that the server establishes',
  query: String.raw`
    select f.object, case
        when f.prorettype <> 'uuid'::regtype or f.proretset then 'does not return one uuid'
        when f.provolatile <> 's' then 'is not STABLE: one that is IMMUTABLE answers with the tenant of an earlier request'
        when f.prosecdef then 'runs with the rights of its owner'
        when f.proconfig <> array['search_path=""'] then 'runs with settings of its own'
        else 'returns something else than nullif(current_setting(''app.current_user_id'', true), '''')::uuid'
      end as detail
    from ${ourFunctions} f
    join pg_language l on l.oid = f.prolang
    where f.oid = to_regprocedure('app_public.current_user_id()')
      and (
        l.lanname <> 'sql' or f.prorettype <> 'uuid'::regtype or f.proretset or f.provolatile <> 's' or f.prosecdef
        or f.proconfig <> array['search_path=""']
        or regexp_replace(
          lower(coalesce(pg_get_function_sqlbody(f.oid), f.prosrc)), '\s|[()]|::text|pg_catalog\.|;\s*$', '', 'g'
        ) !~ '${body}'
      )
    union all
    select 'function app_public.current_user_id()', 'does not exist'
    where to_regprocedure('app_public.current_user_id()') is null`,
};
