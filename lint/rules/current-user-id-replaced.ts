import type { CatalogRule } from '../rule.ts';
import { scopedFunctions } from '../scopedObjects.ts';

/** The expected body without whitespace, parentheses and casts to text, which differ in what Postgres prints. */
const body = String.raw`^(select|return)nullifcurrent_setting''app\.current_user_id'',true,''''::uuid$`;

/** Every policy, every default and the other rules trust this function. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow has the function app_public.current_user_id()' },
  title: 'app_public.current_user_id() does not return the user id that the server sets: restore its definition',
  query: String.raw`
    select f.object, case
        when f.prorettype <> 'uuid'::regtype or f.proretset then 'does not return exactly one uuid'
        when f.provolatile <> 's' then 'is not STABLE (an IMMUTABLE function can return the tenant of an earlier request)'
        when f.prosecdef then 'is SECURITY DEFINER'
        when f.proconfig <> array['search_path=""'] then 'has settings other than an empty search_path'
        else 'does not return nullif(current_setting(''app.current_user_id'', true), '''')::uuid'
      end as detail
    from ${scopedFunctions} f
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
