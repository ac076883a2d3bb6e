import type { CatalogRule } from '../rule.ts';
import { settingPattern } from '../scope.ts';
import { ourFunctions } from '../scopedObjects.ts';

/** Who a transaction speaks for is set by the server, before anything that a tenant asks for. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a function can change who the transaction speaks for',
  query: String.raw`
    select f.object, case when setting is null then 'its body sets the role or the setting of the tenant, or a setting that it is given'
      else 'it runs with ' || setting end as detail
    from ${ourFunctions} f
    left join lateral (
      select string_agg(s, ', ') as setting from unnest(f.proconfig) s where s ~ concat('^(role|session_authorization)=|^app\.|^', ${settingPattern}, '=')
    ) configured on true
    where setting is not null
      or coalesce(pg_get_function_sqlbody(f.oid), f.prosrc) ~* concat_ws('|',
        -- A name that is not a literal may be any.
        concat('set_config\s*\(\s*(''(role|session_authorization|', ${settingPattern}, ')''|[^''[:space:]])'),
        concat('\mset\s+(local|session)\s+(role|session\s+authorization|', ${settingPattern}, ')\M'),
        -- But "update … set role = …" writes a column.
        concat('\mset\s+(role\M(?!\s*=)|session\s+authorization\M|', ${settingPattern}, '\M)'),
        concat('\mreset\s+(role|all|', ${settingPattern}, ')\M')
      )
    order by 1`,
};
