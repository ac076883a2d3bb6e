import { tenantTables } from '../facts.ts';
import type { CatalogRule } from '../rule.ts';
import { ownerRole, serverRoles } from '../scope.ts';

/** Roles of Postgres that show how the server is doing, and no rows. hedgerow_owner may have them. */
const statistics = "('pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables')";

/**
 * Policies bind neither superusers nor BYPASSRLS, and an owner may switch them off. Inspected are Hedgerow's roles, and
 * the role of this connection: a server may connect by another name.
 */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'error',
  title: 'a role of the server is not bound by policies',
  query: `
    with recursive chain as (
      select r.oid, r.oid as becomes from pg_roles r
      where r.rolname = ${ownerRole} or r.oid in (select oid from ${serverRoles} s)
        -- A superuser who runs the lint is not what the server connects as, which refuses that by itself.
        or (${ownerRole} is not null and r.rolname = session_user and not r.rolsuper)
      union
      select c.oid, m.roleid from chain c join pg_auth_members m on m.member = c.becomes
    )
    select format('role %s', c.oid::regrole) as object,
      format('%s %s', case when c.oid = c.becomes then 'it' else format('it may become %s, which', r.rolname) end, why) as detail
    from chain c
    join pg_roles r on r.oid = c.becomes,
    lateral (
      select 'is a superuser' where r.rolsuper
      union all
      select 'has BYPASSRLS' where r.rolbypassrls
      union all
      select 'has CREATEROLE and may give itself what other roles have' where r.rolcreaterole
      union all
      select 'has REPLICATION and may copy the whole cluster' where r.rolreplication
      union all
      select 'is a role of Postgres''s own with rights over all data' where r.rolname ~ '^pg_'
        and not (c.oid is not distinct from to_regrole(${ownerRole}) and r.rolname in ${statistics})
      union all
      select 'owns tenants'' tables and may switch row-level security off'
      where c.oid is distinct from to_regrole(${ownerRole})
        and exists (select from ${tenantTables} t join pg_class o on o.oid = t.oid where o.relowner = r.oid)
    ) as reason (why)
    union all
    select 'role hedgerow_authenticator', format('it has the rights of %s without becoming it: NOINHERIT is missing', r.rolname)
    from pg_roles r
    where r.rolname in ('hedgerow_tenant', 'hedgerow_auth') and ${ownerRole} is not null
      and pg_has_role(to_regrole('hedgerow_authenticator'), r.oid, 'usage')
    order by 1, 2`,
};
