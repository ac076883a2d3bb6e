import { ours } from '../../postgres/ownObjects.ts';

// Queries of describeSchema() for owners, privileges and session settings.

/** Hedgerow's roles. Other roles belong to the cluster and are not described. */
export const ownRoles = `('hedgerow_owner', 'hedgerow_authenticator', 'hedgerow_tenant', 'hedgerow_auth')`;

/** SQL for the privileges in an ACL: one line per role, without the owner `o.owner`. */
export const grantees = (acl: string) => `(
  select string_agg(line, e'\\n') from (
    select format('  grant %s to %s%s', string_agg(lower(a.privilege_type), ', ' order by a.privilege_type),
      coalesce(nullif(a.grantee, 0)::regrole::text, 'public'), case when a.is_grantable then ' with grant option' end) as line
    from aclexplode(${acl}) a where a.grantee <> o.owner group by a.grantee, a.is_grantable order by 1
  ) grants)`;

/** Kinds of objects whose first line does not name the owner. They get a line if the owner is not hedgerow_owner. */
const owned = [
  { catalog: 'pg_namespace', prefix: 'nsp', schema: 'oid', object: "format('schema %I', n.nspname)" },
  { catalog: 'pg_proc', prefix: 'pro', schema: 'pronamespace', object: "format('function %s', o.oid::regprocedure)" },
  { catalog: 'pg_type', prefix: 'typ', schema: 'typnamespace', object: "format('type %s', o.oid::regtype)" },
  {
    catalog: 'pg_collation',
    prefix: 'coll',
    schema: 'collnamespace',
    object: "format('collation %s', o.oid::regcollation)",
  },
  {
    catalog: 'pg_operator',
    prefix: 'opr',
    schema: 'oprnamespace',
    object: "format('operator %s', o.oid::regoperator)",
    where: 'o.oprcode <> 0',
  },
];

/** SQL condition for described types: excludes the types of tables, arrays and multiranges. */
const describedType = `(o.typtype in ('d', 'e', 'r') or o.typtype = 'c' and exists (
  select from pg_class c where c.oid = o.typrelid and c.relkind = 'c'))`;

/** SQL for an ACL as one line: the privileges of PUBLIC and of Hedgerow's roles, without the owner. */
const privileges = (acl: string) => `(
  select string_agg(format('%s: %s', role, held), '; ' order by role) from (
    select coalesce(r.rolname, 'public') as role, string_agg(
      lower(a.privilege_type) || case when a.is_grantable then ' with grant option' else '' end, ', ' order by a.privilege_type) as held
    from aclexplode(${acl}) a left join pg_roles r on r.oid = a.grantee
    where a.grantee = 0 or r.rolname in ${ownRoles} and r.rolname <> 'hedgerow_owner' group by 1) roles)`;

/** SQL for a list of settings. The values of custom settings (with a dot in the name) are hidden: they may be secrets. */
const settings = (config: string) => `(
  select string_agg(case when split_part(one, '=', 1) like '%.%' then split_part(one, '=', 1) || ' (value not shown)' else one end,
    ', ' order by one) from unnest(${config}) one)`;

/** The queries, in the format of describeSchema(). */
export const accessQueries: readonly string[] = [
  ...owned.map(
    ({ catalog, prefix, schema, object, where }) =>
      `select ${object}, 1, format('  owner %s', o.${prefix}owner::regrole)
       from ${catalog} o join pg_namespace n on n.oid = o.${schema}
       where ${ours} and n.nspname <> 'public' and pg_get_userbyid(o.${prefix}owner) <> 'hedgerow_owner'
         ${catalog === 'pg_type' ? `and ${describedType}` : ''} ${where ? `and ${where}` : ''}`,
  ),

  // PUBLIC has USAGE on new types by default, so only its absence gets a line.
  `select format('type %s', o.oid::regtype), 9, ${grantees("nullif(array(select one from unnest(o.acl) one where one::text not like '=%'), '{}')")}
   from (select oid, typacl as acl, typowner as owner, typnamespace, typtype, typrelid from pg_type) o
   join pg_namespace n on n.oid = o.typnamespace where ${ours} and ${describedType}
   union all
   select format('type %s', o.oid::regtype), 9, '  usage is not granted to public'
   from pg_type o join pg_namespace n on n.oid = o.typnamespace
   where ${ours} and ${describedType} and not exists (
     select from aclexplode(coalesce(o.typacl, acldefault('T', o.typowner))) a where a.grantee = 0)`,

  `select 'privileges on this database', 0, format('privileges on this database: %s', ${privileges("coalesce(d.datacl, acldefault('d', d.datdba))")})
   from pg_database d where d.datname = current_database()`,

  // The default since Postgres 15 gets no line: PUBLIC has USAGE on the schema and no CREATE.
  `select 'privileges on schema public', 0, format('privileges on schema public: %s', coalesce(held, 'none')) from (
     select ${privileges("coalesce(n.nspacl, acldefault('n', n.nspowner))")} as held from pg_namespace n where n.nspname = 'public'
   ) o where held is distinct from 'public: usage'`,

  `select 'settings of', 0, format('settings of %s: %s',
     case when s.setrole = 0 then 'this database' when s.setdatabase = 0 then format('role %s', r.rolname)
       else format('role %s in this database', r.rolname) end, ${settings('s.setconfig')})
   from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole
   where (s.setrole = 0 or r.rolname in ${ownRoles})
     and (s.setdatabase = (select oid from pg_database where datname = current_database()) or s.setdatabase = 0 and s.setrole <> 0)`,
];
