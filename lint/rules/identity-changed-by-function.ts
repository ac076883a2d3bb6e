import type { CatalogRule } from '../rule.ts';
import { settingPattern } from '../scope.ts';
import { scopedFunctions } from '../scopedObjects.ts';

/** The server sets the identity of a transaction before it runs any statement of a tenant. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a function can change the identity of the transaction',
  query: String.raw`
    select f.object, case when setting is null
        then 'its body sets the role, a setting of the identity, or a setting whose name is computed, so a tenant can act as another: leave the identity to the server'
      else format('it runs with %s, which replaces the identity of the caller: remove that setting', setting) end as detail
    from ${scopedFunctions} f
    left join lateral (
      select string_agg(s, ', ') as setting from unnest(f.proconfig) s where s ~ concat('^(role|session_authorization)=|^app\.|^(', ${settingPattern}, ')=')
    ) configured on true
    where setting is not null
      or coalesce(pg_get_function_sqlbody(f.oid), f.prosrc) ~* concat_ws('|',
        -- A computed name can be any setting.
        concat('set_config\s*\(\s*(''(role|session_authorization|', ${settingPattern}, ')''|[^''[:space:]])'),
        concat('\mset\s+(local|session)\s+(role|session\s+authorization|', ${settingPattern}, ')\M'),
        -- "update … set role = …" writes a column.
        concat('\mset\s+(role\M(?!\s*=)|session\s+authorization\M|(', ${settingPattern}, ')\M)'),
        concat('\mreset\s+(role|all|', ${settingPattern}, ')\M')
      )
    order by 1`,
};
