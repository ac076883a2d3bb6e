import { createHash } from 'node:crypto';
import type pg from 'pg';
import { type Node, parseNodeTree } from '../postgres/nodeTree.ts';
import { readBodies } from './bodies.ts';
import { readDeclarations, withDeclaredOwners } from './declaredSharing.ts';
import { RightsReader } from './missingRights.ts';
import { ownersOfHedgerow } from './ownerColumns.ts';
import type { FunctionFacts, Owner, Policy, PolicyFacts } from './policies.ts';
import { findEndless, findUses } from './reads.ts';
import { ReferenceReader } from './references.ts';
import { type IdentityKind, isHedgerow, type LintScope, type TableColumn, tenantRole } from './scope.ts';
import { tenantRoles, tenantTables } from './tenantTables.ts';
import { findReads, findTrustedRows } from './trustedRows.ts';

/** Reads the policies that apply to tenants, and facts about the objects in their expressions. */
export async function readPolicies(client: pg.ClientBase, scope: LintScope): Promise<PolicyFacts> {
  const { rows } = await client.query<
    Record<'object' | 'table' | 'command' | 'text', string> &
      Record<'using' | 'check', string | null> & { permissive: boolean }
  >(
    `select format('policy %I on %s', p.polname, t.object) as object, t.oid as table, p.polpermissive as permissive,
      case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end
        as command,
      p.polqual::text as using, p.polwithcheck::text as check,
      concat_ws(' | ', p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as text
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
  const tables = await client.query<{ oid: string; object: string; comment: string | null }>(
    `select oid::text, object, obj_description(oid, 'pg_class') as comment from ${tenantTables} t`,
  );
  const labels = await client.query<{ oid: string; label: string }>(
    'select oid::text, enumlabel as label from pg_enum',
  );
  const relations = await client.query<{ oid: string; name: string }>(
    `select c.oid::text, n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'f', 'm')`,
  );
  const updatable = await client.query<{ key: string }>(
    `select format('%s.%s', attrelid, attnum) as key from pg_attribute a join ${tenantTables} t on t.oid = a.attrelid
     where a.attnum > 0 and not a.attisdropped and has_column_privilege(${tenantRole}, a.attrelid, a.attnum, 'update')`,
  );
  const columns = await client.query<{ key: string }>(
    `select format('%s.%s', attrelid, attnum) as key from pg_attribute a join ${tenantTables} t on t.oid = a.attrelid
     where a.attnotnull`,
  );
  const keys = await client.query<{ table: string; columns: number[] }>(
    `select indrelid::text as table, (indkey::int2[])[0:indnkeyatts - 1] as columns from pg_index
     where indrelid >= 16384 and indisunique and indisvalid and indpred is null and indexprs is null`,
  );
  const references = await client.query<{ key: string }>(
    `select format('%s.%s', conrelid, conkey[1]) as key from pg_constraint
     where contype = 'f' and cardinality(conkey) = 1 and convalidated
       and ($1 or confrelid = to_regclass('app_public.organizations'))`,
    [!isHedgerow(scope)],
  );
  const owners = isHedgerow(scope) ? await client.query<Owner & { oid: string }>(ownersOfHedgerow) : { rows: [] };
  const bodies = await readBodies(client);
  const rights = await RightsReader.open(client, bodies);
  const tree = (given: string | null) => (given === null ? null : (parseNodeTree(given) as Node));
  const comments = await client.query<{ key: string; name: string; shared: boolean; insertable: boolean }>(
    `select format('%s.%s', a.attrelid, a.attnum) as key, a.attname as name,
       coalesce(col_description(a.attrelid, a.attnum) ~ '(^|\\n)\\s*@isolation\\s+shared:\\s*\\S', false) as shared,
       has_column_privilege(${tenantRole}, a.attrelid, a.attnum, 'insert') as insertable
     from pg_attribute a join ${tenantTables} t on t.oid = a.attrelid where a.attnum > 0 and not a.attisdropped`,
  );
  const having = (property: 'shared' | 'insertable') =>
    new Set(comments.rows.filter((one) => one[property]).map(({ key }) => key));
  const tableComments = new Map(tables.rows.map(({ oid, comment }) => [oid, comment]));
  const facts: PolicyFacts = {
    policies: rows.map(({ using, check, table, command, text: printed, ...row }) => ({
      ...row,
      fingerprint: createHash('sha256').update(printed).digest('hex').slice(0, 8),
      table: String(table),
      command: command as Policy['command'],
      using: tree(using),
      check: tree(check),
      missingRights: rights.missing([using, check].filter((one) => one !== null)),
    })),
    setting: scope.setting ?? '',
    groupSetting: scope.groupSetting,
    owners: new Map(owners.rows.map(({ oid, ...owner }) => [oid, owner])),
    claims: scope.claims,
    functions: await withTenant(client, scope, functions.rows),
    operators: new Map(operators.rows.map(({ oid, name }) => [oid, name])),
    tables: new Map(tables.rows.map(({ oid, object }) => [oid, object])),
    notNull: new Set(columns.rows.map(({ key }) => key)),
    keys: new Map(
      [...Map.groupBy(keys.rows, ({ table }) => table)].map(([oid, all]) => [oid, all.map(({ columns: own }) => own)]),
    ),
    unique: new Set(
      keys.rows.flatMap(({ table, columns: [only, ...others] }) => (others.length === 0 ? [`${table}.${only}`] : [])),
    ),
    identifying: new Map(references.rows.map(({ key }) => [key, isHedgerow(scope) ? 'group' : 'user'])),
    trust: { functions: true, expressions: !isHedgerow(scope) },
    updatable: new Set(updatable.rows.map(({ key }) => key)),
    insertable: having('insertable'),
    shared: having('shared'),
    comments: tableComments,
    declared: readDeclarations(tableComments),
    labels: new Map(labels.rows.map(({ oid, label }) => [oid, label])),
    relations: new Map(relations.rows.map(({ oid, name }) => [name, oid])),
    columns: new Map(comments.rows.map(({ key, name }) => [key, name])),
    trusted: new Map(),
    uses: findUses(bodies),
    names: new Map([...bodies].map(([oid, { name }]) => [oid, name])),
    endless: findEndless(bodies),
    readsOfFunctions: findReads(bodies),
  };
  if (!isHedgerow(scope)) return facts;
  const known = withDeclaredOwners(facts);
  return { ...known, trusted: findTrustedRows(known, known.policies) };
}

/**
 * Adds the owner columns that findOwners.ts found.
 *
 * @param policies all policies, also of tables that are declared as shared: they rely on rows of other tables, too.
 */
export function withOwners(
  facts: PolicyFacts,
  owners: readonly TableColumn[],
  policies: readonly Policy[],
): PolicyFacts {
  const found = new Map(owners.map(({ oid, attnum }) => [oid, { attnum, kind: 'user' as const }]));
  const known = withDeclaredOwners({ ...facts, owners: found });
  return { ...known, trusted: findTrustedRows(known, policies) };
}

type CalledFunction = { readonly oid: string; readonly builtIn: boolean } & Omit<
  FunctionFacts,
  'identities' | 'readsRows' | 'otherSettings' | 'frozen'
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
      (isHedgerow(scope) && facts.name === `app_public.${name}`) ||
      references?.settings.has(setting?.toLowerCase() ?? '');
    const identities: IdentityKind[] = [];
    if (reads('current_user_id', scope.setting) || isHidden) identities.push('user');
    if (reads('current_organization_id', scope.groupSetting)) identities.push('group');
    const readsRows = references?.readsRows ?? false;
    const own = [scope.setting, scope.groupSetting].map((name) => name?.toLowerCase());
    const others = [...(references?.settings ?? [])].flatMap((name) => (own.includes(name) || !name ? [] : [name]));
    const isClaim = (name: string) => scope.setting === 'request.jwt.claims' && /^request\.jwt\.claim(\.|$)/.test(name);
    found.set(oid, {
      ...facts,
      identities,
      readsRows,
      isValue: facts.isValue && !isHidden && !readsRows,
      otherSettings: identities.length > 0 ? others.filter((name) => name.includes('.') && !isClaim(name)) : [],
      frozen: await findFrozen(client, reader, [oid, ...(references?.oids ?? [])]),
    });
  }
  return found;
}

/** Returns the name of the first function that is IMMUTABLE and reads a setting. */
async function findFrozen(
  client: pg.ClientBase,
  reader: ReferenceReader | undefined,
  oids: readonly string[],
): Promise<string | undefined> {
  if (!reader) return undefined;
  const { rows } = await client.query<{ oid: string; name: string }>(
    `select oid::text, oid::regprocedure::text as name from pg_proc
     where oid = any ($1::oid[]) and oid >= 16384 and provolatile = 'i' order by 1`,
    [oids],
  );
  for (const { oid, name } of rows) if ((await reader.of([], [oid])).settings.size > 0) return name;
  return undefined;
}
