import type { CatalogRule } from '../rule.ts';
import { tenantRoles, tenantTables } from '../tenantTables.ts';

export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a command is granted to tenants, but no policy allows it',
  query: `
    with granted as (
      select c.oid, a.privilege_type, a.grantee from pg_class c, aclexplode(c.relacl) a
      union all
      select b.attrelid, a.privilege_type, a.grantee from pg_attribute b, aclexplode(b.attacl) a
    )
    select t.object,
      format('%s granted to tenants, but no policy allows %s: add a policy or revoke the grant',
      string_agg(distinct lower(g.privilege_type), ' and ') || case when count(distinct g.privilege_type) = 1 then ' is' else ' are' end,
      case when count(distinct g.privilege_type) = 1 then 'it' else 'them' end) as detail
    from ${tenantTables} t
    join pg_class c using (oid)
    join granted g using (oid)
    join (values ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) command (privilege, letter)
      on command.privilege = g.privilege_type
    where c.relrowsecurity
      and g.grantee in (select oid from ${tenantRoles} r)
      and not exists (
        select from pg_policy p
        where p.polrelid = t.oid and p.polpermissive and p.polcmd in (command.letter::"char", '*')
          and exists (select from ${tenantRoles} r where r.oid = any (p.polroles))
      )
    group by t.object`,
};
