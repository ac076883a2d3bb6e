import type { CatalogRule } from '../rule.ts';
import { ownerRole } from '../scope.ts';
import { tenantRoles } from '../tenantTables.ts';

/** Default privileges grant access to future objects, and the migration that creates an object does not show it. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'default privileges will open future objects to tenants',
  query: `
    select format('default privileges of %s on %s%s', d.defaclrole::regrole,
        case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
          when 'n' then 'schemas' when 'T' then 'types' else 'large objects' end,
        ' in schema ' || nullif(d.defaclnamespace, 0)::regnamespace) as object,
      format('%s will have %s on every object created later: revoke the default and grant on each object',
        coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'),
        string_agg(a.privilege_type, ', ' order by a.privilege_type)) as detail
    from pg_default_acl d, aclexplode(d.defaclacl) a
    -- Privileges on a type give access to no rows.
    where d.defaclobjtype <> 'T' and a.grantee in ${tenantRoles}
    group by d.oid, d.defaclrole, d.defaclobjtype, d.defaclnamespace, a.grantee
    union all
    -- Without an entry, PUBLIC may execute new functions. A revoke for a single schema has no effect.
    select format('default privileges of %s on functions', ${ownerRole}),
      'PUBLIC will have EXECUTE on every function created later: revoke the default'
    where ${ownerRole} is not null and not exists (
      select from pg_default_acl d
      where d.defaclrole = to_regrole(${ownerRole}) and d.defaclobjtype = 'f' and d.defaclnamespace = 0
    )
    order by 1, 2`,
};
