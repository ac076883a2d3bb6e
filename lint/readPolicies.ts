import type pg from 'pg';
import { type Node, parseNodeTree } from '../postgres/nodeTree.ts';
import { readBodies } from './bodies.ts';
import { RightsReader } from './missingRights.ts';
import { ownerColumns } from './ownerColumns.ts';
import type { FunctionFacts, Owner, Policy, PolicyFacts } from './policies.ts';
import { findEndless, findUses } from './reads.ts';
import { ReferenceReader } from './references.ts';
import { type IdentityKind, isHedgerow, type LintScope, tenantRole } from './scope.ts';
import { tenantRoles, tenantTables } from './tenantTables.ts';

/** Reads the policies that apply to tenants, and facts about the objects in their expressions. */
export async function readPolicies(client: pg.ClientBase, scope: LintScope): Promise<PolicyFacts> {
  const { rows } = await client.query<
    Record<'object' | 'table' | 'command', string> & Record<'using' | 'check', string | null> & { permissive: boolean }
  >(
    `select format('policy %I on %s', p.polname, t.object) as object, t.oid as table, p.polpermissive as permissive,
      case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end
        as command,
      p.polqual::text as using, p.polwithcheck::text as check
     from pg_policy p
     join ${tenantTables} t on t.oid = p.polrelid
     where exists (select from ${tenantRoles} r where r.oid = any (p.polroles))
     order by 1`,
  );
  const text = rows.map(({ using, check }) => `${using} ${check}`).join(' ');
  const oids = (field: string) => [
    ...new Set([...text.matchAll(new RegExp(`:${field} (\\d+)`, 'g'))].map(([, oid]) => oid)),
  ];
  const functions = await client.query<CalledFunction>(
    `select oid::text, pronamespace = 'pg_catalog'::regnamespace as "builtIn", provolatile = 'i' as immutable, proleakproof as leakproof,
      case when pronamespace = 'pg_catalog'::regnamespace then '' else pronamespace::regnamespace || '.' end || proname as name,
      pronargs = 0 and not proretset and prorettype <> 'boolean'::regtype
        and (select typcategory <> 'A' from pg_type t where t.oid = prorettype) as "isValue"
     from pg_proc where oid = any ($1::oid[])`,
    [[...oids('funcid'), ...oids('opfuncid'), ...oids('aggfnoid'), ...oids('winfnoid')]],
  );
  const operators = await client.query<{ oid: string; name: string }>(
    `select oid::text, oprname as name from pg_operator
     where oid = any ($1::oid[]) and oprnamespace = 'pg_catalog'::regnamespace`,
    [oids('opno')],
  );
  const tables = await client.query<{ oid: string; object: string }>(`select oid::text, object from ${tenantTables} t`);
  const updatable = await client.query<{ key: string }>(
    `select format('%s.%s', attrelid, attnum) as key from pg_attribute a join ${tenantTables} t on t.oid = a.attrelid
     where a.attnum > 0 and not a.attisdropped and has_column_privilege(${tenantRole}, a.attrelid, a.attnum, 'update')`,
  );
  const columns = await client.query<{ key: string }>(
    `select format('%s.%s', attrelid, attnum) as key from pg_attribute a join ${tenantTables} t on t.oid = a.attrelid
     where a.attnotnull`,
  );
  const keys = await client.query<{ key: string }>(
    `select format('%s.%s', indrelid, indkey[0]) as key from pg_index
     where indisunique and indisvalid and indnkeyatts = 1 and indpred is null and indexprs is null`,
  );
  const references = await client.query<{ key: string }>(
    `select format('%s.%s', conrelid, conkey[1]) as key from pg_constraint
     where contype = 'f' and cardinality(conkey) = 1 and convalidated
       and ($1 or confrelid = to_regclass('app_public.organizations'))`,
    [!isHedgerow(scope)],
  );
  const owners = isHedgerow(scope)
    ? await client.query<Owner & { oid: string }>(`select o.oid::text, o.attnum, o.kind from ${ownerColumns} o`)
    : { rows: [] };
  const bodies = await readBodies(client);
  const rights = await RightsReader.open(client, bodies);
  const tree = (given: string | null) => (given === null ? null : (parseNodeTree(given) as Node));
  return {
    policies: rows.map(({ using, check, table, command, ...row }) => ({
      ...row,
      table: String(table),
      command: command as Policy['command'],
      using: tree(using),
      check: tree(check),
      missingRights: rights.missing([using, check].filter((one) => one !== null)),
    })),
    setting: scope.setting ?? '',
    groupSetting: scope.groupSetting,
    owners: new Map(owners.rows.map(({ oid, attnum, kind }) => [oid, { attnum, kind }])),
    claims: scope.claims,
    functions: await withTenant(client, scope, functions.rows),
    operators: new Map(operators.rows.map(({ oid, name }) => [oid, name])),
    tables: new Map(tables.rows.map(({ oid, object }) => [oid, object])),
    notNull: new Set(columns.rows.map(({ key }) => key)),
    unique: new Set(keys.rows.map(({ key }) => key)),
    identifying: new Map(references.rows.map(({ key }) => [key, isHedgerow(scope) ? 'group' : 'user'])),
    trust: { functions: true, expressions: !isHedgerow(scope) },
    updatable: new Set(updatable.rows.map(({ key }) => key)),
    uses: findUses(bodies),
    names: new Map([...bodies].map(([oid, { name }]) => [oid, name])),
    endless: findEndless(bodies),
  };
}

type CalledFunction = { readonly oid: string; readonly builtIn: boolean } & Omit<
  FunctionFacts,
  'identities' | 'readsRows'
>;

/**
 * Adds to each function the identities that its result depends on, which are those whose settings it reads at any depth.
 * On a database that is not Hedgerow's, functions that the linter cannot read are assumed to depend on the tenant. A function that reads
 * rows returns a value of these rows, not the tenant itself.
 */
async function withTenant(
  client: pg.ClientBase,
  scope: LintScope,
  functions: readonly CalledFunction[],
): Promise<Map<string, FunctionFacts>> {
  const found = new Map<string, FunctionFacts>();
  const called = functions.filter(({ builtIn }) => !builtIn);
  const reader = called.length > 0 ? await ReferenceReader.open(client) : undefined;
  for (const { oid, builtIn, ...facts } of functions) {
    const references = builtIn ? undefined : await reader?.of([], [oid]);
    const isHidden =
      !isHedgerow(scope) && references && (references.opaque.size > 0 || references.settings.has(undefined));
    const reads = (name: string, setting: string | undefined) =>
      (isHedgerow(scope) && facts.name.includes(name)) || references?.settings.has(setting?.toLowerCase() ?? '');
    const identities: IdentityKind[] = [];
    if (reads('current_user_id', scope.setting) || isHidden) identities.push('user');
    if (reads('current_organization_id', scope.groupSetting)) identities.push('group');
    const readsRows = references?.readsRows ?? false;
    found.set(oid, { ...facts, identities, readsRows, isValue: facts.isValue && !isHidden && !readsRows });
  }
  return found;
}
