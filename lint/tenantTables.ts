import { apiSchema, inScope, tenantRole } from './scope.ts';

// Subqueries that many rules share. They follow `from` or `in`.

/**
 * Roles whose policies and grants apply to tenants: the tenants' role, the roles that it is a member of, and PUBLIC
 * (0). The column is `oid`.
 */
export const tenantRoles = `(
  select 0::oid as oid
  union select r.oid from pg_roles r where pg_has_role(${tenantRole}, r.oid, 'member')
)`;

/**
 * Tenant tables: every table of the API schema, and tables of other schemas on which tenants have a grant. Partitions
 * count as tables. The columns are `oid` and `object`.
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
