import { tenantRoles } from '../facts.ts';
import type { CatalogRule } from '../rule.ts';
import { ownerRole } from '../scope.ts';

/** Default privileges are grants on what will be created, when nobody looks at them any more. */
export const rule: CatalogRule = {
  level: 'warning',
  title: 'default privileges open to tenants what will be created later',
  query: `
    select format('default privileges of %s on %s%s', d.defaclrole::regrole,
        case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
          when 'n' then 'schemas' when 'T' then 'types' else 'large objects' end,
        ' in schema ' || nullif(d.defaclnamespace, 0)::regnamespace) as object,
      format('%s will have %s', coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'),
        string_agg(a.privilege_type, ', ' order by a.privilege_type)) as detail
    from pg_default_acl d, aclexplode(d.defaclacl) a
    -- A type gives nobody a row.
    where d.defaclobjtype <> 'T' and a.grantee in ${tenantRoles}
    group by d.oid, d.defaclrole, d.defaclobjtype, d.defaclnamespace, a.grantee
    union all
    -- Where nothing is said, PUBLIC may execute. What is revoked in one schema only counts for nothing.
    select format('default privileges of %s on functions', ${ownerRole}), 'PUBLIC will have EXECUTE'
    where ${ownerRole} is not null and not exists (
      select from pg_default_acl d
      where d.defaclrole = to_regrole(${ownerRole}) and d.defaclobjtype = 'f' and d.defaclnamespace = 0
    )
    order by 1, 2`,
};
