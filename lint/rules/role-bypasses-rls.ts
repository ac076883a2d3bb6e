import type { CatalogRule } from '../rule.ts';
import { ownerRole, serverRoles } from '../scope.ts';
import { tenantTables } from '../tenantTables.ts';

/** Predefined roles that expose statistics and no rows. hedgerow_owner may be a member of them. */
const statistics = "('pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables')";

/**
 * Policies do not apply to superusers or to roles with BYPASSRLS, and a table owner may disable them. The rule inspects
 * Hedgerow's roles and the role of this connection, because a server may connect as another role.
 */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'error',
  title: 'a server role can bypass the policies',
  query: `
    with recursive chain as (
      select r.oid, r.oid as becomes from pg_roles r
      where r.rolname = ${ownerRole} or r.oid in (select oid from ${serverRoles} s)
        -- A superuser may run the linter. The server itself refuses to connect as one.
        or (${ownerRole} is not null and r.rolname = session_user and not r.rolsuper)
      union
      select c.oid, m.roleid from chain c join pg_auth_members m on m.member = c.becomes
    )
    select format('role %s', c.oid::regrole) as object,
      format('%s %s: remove this right',
        case when c.oid = c.becomes then 'it' else format('it may become %s, which', r.rolname) end, why) as detail
    from chain c
    join pg_roles r on r.oid = c.becomes,
    lateral (
      select 'is a superuser' where r.rolsuper
      union all
      select 'has BYPASSRLS' where r.rolbypassrls
      union all
      select 'has CREATEROLE and may grant itself other roles' where r.rolcreaterole
      union all
      select 'has REPLICATION and may copy the whole cluster' where r.rolreplication
      union all
      select 'is a predefined Postgres role with access to all data' where r.rolname ~ '^pg_'
        and not (c.oid is not distinct from to_regrole(${ownerRole}) and r.rolname in ${statistics})
      union all
      select 'owns tenant tables and may disable row-level security'
      where c.oid is distinct from to_regrole(${ownerRole})
        and exists (select from ${tenantTables} t join pg_class o on o.oid = t.oid where o.relowner = r.oid)
    ) as reason (why)
    union all
    select 'role hedgerow_authenticator',
      format('it has the rights of %s without SET ROLE, so a statement without an identity succeeds: set NOINHERIT',
        r.rolname)
    from pg_roles r
    where r.rolname in ('hedgerow_tenant', 'hedgerow_auth') and ${ownerRole} is not null
      and pg_has_role(to_regrole('hedgerow_authenticator'), r.oid, 'usage')
    order by 1, 2`,
};
