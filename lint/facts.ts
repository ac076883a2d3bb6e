import { apiSchema, inScope, tenantRole } from './scope.ts';

// What rules ask of the catalogs again and again, as subqueries to put after `from` or `in`.

/** `oid` of every role whose policies and grants reach tenants: hedgerow_tenant, what it is a member of, and PUBLIC (0). */
export const tenantRoles = `(
  select 0::oid as oid
  union select r.oid from pg_roles r where pg_has_role(${tenantRole}, r.oid, 'member')
)`;

/**
 * `oid` and `object` of tenants' tables: every table of app_public, and those of other schemas on which tenants have been
 * granted something. Partitions are tables too.
 */
export const tenantTables = `(
  select c.oid, c.oid::regclass::text as object
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and c.relpersistence <> 't'
    and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and ${inScope}
    and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
    and (n.nspname = ${apiSchema} or exists (
      select from aclexplode(c.relacl) a where a.grantee in (select oid from ${tenantRoles} t)
      union all
      select from pg_attribute b, aclexplode(b.attacl) a
      where b.attrelid = c.oid and a.grantee in (select oid from ${tenantRoles} t)
    ))
)`;
