import type pg from 'pg';
import type { Finding } from '../../lint/rule.ts';
import { wrapCalls } from './wrapCalls.ts';

/** Roles whose grants reach tenants: hedgerow_tenant, the roles that it is a member of, and PUBLIC (0). */
const tenantRoles = `(
  select 0::oid union select r.oid from pg_roles r where pg_has_role('hedgerow_tenant', r.oid, 'member')
)`;

/** Returns repeatable statements that correct a finding; none if a person must decide. */
type Fix = (client: pg.ClientBase, finding: Finding) => Promise<string[]>;

const fixes: Readonly<Record<string, Fix>> = {
  'rls-not-forced': async (_client, { object }) => [`alter table ${object} force row level security;`],
  'view-without-security-invoker': async (_client, { object }) => [
    `alter view ${object} set (security_invoker = true);`,
  ],
  'rls-not-enabled': rowSecurity,
  'helper-not-wrapped': policyWithSubselects,
  'owner-column-not-indexed': ownerIndex,
  'owner-column-granted': ownerGrants,
  'beyond-rls-granted': excessGrants,
  'granted-to-public': publicGrants,
  'function-executable-by-public': publicFunction,
};

/**
 * Returns repeatable statements that correct `finding`; none if a person must decide.
 *
 * @param client connected to the linted database.
 */
export async function fixOf(client: pg.ClientBase, finding: Finding): Promise<string[]> {
  return (await fixes[finding.rule]?.(client, finding)) ?? [];
}

async function statements(client: pg.ClientBase, query: string, values: readonly unknown[]): Promise<string[]> {
  const { rows } = await client.query<{ sql: string }>(query, [...values]);
  return rows.map(({ sql }) => sql);
}

/** Enables row-level security only for a table with a policy. Without one the table would show no rows, and a person must decide. */
function rowSecurity(client: pg.ClientBase, { object }: Finding): Promise<string[]> {
  return statements(
    client,
    `select format('alter table %s enable row level security, force row level security;', c.oid::regclass) as sql
     from pg_class c where c.oid::regclass::text = $1 and exists (select from pg_policy p where p.polrelid = c.oid)`,
    [object],
  );
}

async function policyWithSubselects(client: pg.ClientBase, { object, detail }: Finding): Promise<string[]> {
  const called = [...detail.matchAll(/([\w".]+)\(\)/g)].map(([, name]) => name as string);
  const { rows } = await client.query<{ policy: string; using: string | null; check: string | null }>(
    `select format('alter policy %I on %s', polname, polrelid::regclass) as policy,
       pg_get_expr(polqual, polrelid) as using, pg_get_expr(polwithcheck, polrelid) as check
     from pg_policy where format('policy %I on %s', polname, polrelid::regclass) = $1`,
    [object],
  );
  return rows.map(({ policy, using, check }) => {
    const clauses = [
      using && `using (${wrapCalls(using, called)})`,
      check && `with check (${wrapCalls(check, called)})`,
    ].filter(Boolean);
    return `${policy}\n  ${clauses.join('\n  ')};`;
  });
}

/** SQL for the table and column of `app_public.notes.user_id`. */
const ofColumn = `pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  where format('%s.%I', c.oid::regclass, a.attname) = $1`;

function ownerIndex(client: pg.ClientBase, { object }: Finding): Promise<string[]> {
  return statements(
    client,
    `select format('create index if not exists %I on %s (%I);', left(c.relname || '_' || a.attname, 53) || case
         when exists (select from pg_class i where i.relnamespace = n.oid and i.relname = c.relname || '_' || a.attname || '_idx')
         then '_owner_idx' else '_idx' end, c.oid::regclass, a.attname) as sql
     from ${ofColumn}`,
    [object],
  );
}

/** Replaces a grant on the table by grants on its other columns, and revokes grants on the column. */
function ownerGrants(client: pg.ClientBase, { object }: Finding): Promise<string[]> {
  return statements(
    client,
    `select format('revoke %s on %s from %s;%s', g.privilege, c.oid::regclass, g.role, e'\\ngrant ' || g.privilege || ' (' || (
         select string_agg(quote_ident(o.attname), ', ' order by o.attnum) from pg_attribute o
         where o.attrelid = c.oid and o.attnum > 0 and not o.attisdropped and o.attnum <> a.attnum and o.attgenerated = ''
       ) || ') on ' || c.oid::regclass || ' to ' || g.role || ';') as sql
     from (select a.*, c.relacl, c.oid as table from ${ofColumn}) a join pg_class c on c.oid = a.table,
     lateral (
       select lower(x.privilege_type) as privilege, coalesce(nullif(x.grantee, 0)::regrole::text, 'public') as role
       from aclexplode(a.relacl) x where x.privilege_type in ('INSERT', 'UPDATE') and x.grantee in ${tenantRoles}
     ) g
     union all
     select format('revoke %s (%I) on %s from %s;', lower(x.privilege_type), a.attname, c.oid::regclass, coalesce(nullif(x.grantee, 0)::regrole::text, 'public'))
     from (select a.*, c.oid as table from ${ofColumn}) a join pg_class c on c.oid = a.table, aclexplode(a.attacl) x
     where x.privilege_type in ('INSERT', 'UPDATE') and x.grantee in ${tenantRoles}`,
    [object],
  );
}

const beyondRls = "x.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')";

function excessGrants(client: pg.ClientBase, { object }: Finding): Promise<string[]> {
  return statements(
    client,
    `select format('revoke %s on %s from %s;', string_agg(lower(x.privilege_type), ', ' order by 1), c.oid::regclass,
       coalesce(nullif(x.grantee, 0)::regrole::text, 'public')) as sql
     from pg_class c, aclexplode(c.relacl) x
     where c.oid::regclass::text = $1 and ${beyondRls} and x.grantee in ${tenantRoles} group by c.oid, x.grantee
     union all
     select format('revoke %s (%I) on %s from %s;', lower(x.privilege_type), a.attname, a.attrelid::regclass,
       coalesce(nullif(x.grantee, 0)::regrole::text, 'public'))
     from pg_attribute a, aclexplode(a.attacl) x
     where a.attrelid::regclass::text = $1 and ${beyondRls} and x.grantee in ${tenantRoles}`,
    [object],
  );
}

function publicGrants(client: pg.ClientBase, { object }: Finding): Promise<string[]> {
  return statements(
    client,
    `select format('revoke all on %s from public;', c.oid::regclass) as sql from pg_class c where c.oid::regclass::text = $1
     union all
     select format('revoke all (%I) on %s from public;', a.attname, c.oid::regclass) from ${ofColumn} and a.attacl is not null
     union all
     select format('revoke all on schema %I from public;', n.nspname) from pg_namespace n where format('schema %I', n.nspname) = $1`,
    [object],
  );
}

/** Tenants keep EXECUTE on functions of the API. Trigger functions need no grant. */
function publicFunction(client: pg.ClientBase, { object }: Finding): Promise<string[]> {
  return statements(
    client,
    `select format('revoke execute on routine %s from public;%s', p.oid::regprocedure, case
       when n.nspname = 'app_public' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
       then format(e'\\ngrant execute on routine %s to hedgerow_tenant;', p.oid::regprocedure) end) as sql
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace where 'function ' || p.oid::regprocedure = $1`,
    [object],
  );
}
