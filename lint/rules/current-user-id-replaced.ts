import type { CatalogRule } from '../rule.ts';
import { scopedFunctions } from '../scopedObjects.ts';

/** Functions that return a setting of the identity. */
const helpers = `(values
  ('current_user_id', 'uuid'::regtype), ('current_organization_id', 'uuid'), ('current_member_role', 'text')
) as helper (name, type)`;

/** Policies, defaults and the other rules trust these functions. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow has the function app_public.current_user_id()' },
  title: 'a function of the identity does not return what the server sets: restore its definition',
  query: String.raw`
    select f.object, case
        when f.prorettype <> helper.type or f.proretset then format('does not return exactly one %s', helper.type)
        when f.provolatile <> 's' then 'is not STABLE (an IMMUTABLE function can return the tenant of an earlier request)'
        when f.prosecdef then 'is SECURITY DEFINER'
        when f.proconfig <> array['search_path=""'] then 'has settings other than an empty search_path'
        else format('does not return nullif(current_setting(''app.%s'', true), '''')%s', helper.name, cast_to)
      end as detail
    from ${helpers}
    join ${scopedFunctions} f on f.oid = to_regprocedure(format('app_public.%s()', helper.name))
    join pg_language l on l.oid = f.prolang,
    lateral (select case helper.type when 'text'::regtype then '' else '::uuid' end as cast_to) written
    where (
        l.lanname <> 'sql' or f.prorettype <> helper.type or f.proretset or f.provolatile <> 's' or f.prosecdef
        or f.proconfig <> array['search_path=""']
        -- Without whitespace, parentheses and casts to text, which differ in what Postgres prints.
        or regexp_replace(
          lower(coalesce(pg_get_function_sqlbody(f.oid), f.prosrc)), '\s|[()]|::text|pg_catalog\.|;\s*$', '', 'g'
        ) !~ concat('^(select|return)nullifcurrent_setting''app\.', helper.name, ''',true,''''', cast_to, '$')
      )
    union all
    select 'function app_public.current_user_id()', 'does not exist'
    where to_regprocedure('app_public.current_user_id()') is null`,
};
