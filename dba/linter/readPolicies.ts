import type pg from 'pg';
import { ourSchema } from '../ours.ts';
import { tenantRoles, tenantTables } from './facts.ts';
import { type Node, parseNodeTree } from './nodeTree.ts';
import type { FunctionFacts, Policy, PolicyFacts } from './policies.ts';
import { readUses } from './reads.ts';
import { isHedgerow, type LintScope, tenantRole } from './scope.ts';

/** Reads the policies that bind tenants, and what their expressions refer to. */
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
  const tenant = await functionsOfTenant(client, scope);
  const functions = await client.query<{ oid: string } & Omit<FunctionFacts, 'tenant'>>(
    `select oid::text, provolatile = 'i' as immutable, proleakproof as leakproof,
      case when pronamespace = 'pg_catalog'::regnamespace then '' else pronamespace::regnamespace || '.' end || proname as name,
      pronargs = 0 and prorettype <> 'boolean'::regtype as "isValue",
      has_function_privilege(${tenantRole}, oid, 'execute')
        and has_schema_privilege(${tenantRole}, pronamespace, 'usage') as executable
     from pg_proc where oid = any ($1::oid[])`,
    [[...oids('funcid'), ...oids('opfuncid')]],
  );
  const operators = await client.query<{ oid: string; name: string }>(
    `select oid::text, oprname as name from pg_operator
     where oid = any ($1::oid[]) and oprnamespace = 'pg_catalog'::regnamespace`,
    [oids('opno')],
  );
  const tables = await client.query<{ oid: string; object: string; readable: boolean }>(
    `select oid::text, object, has_any_column_privilege(${tenantRole}, oid, 'select') as readable from ${tenantTables} t`,
  );
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
  const tree = (given: string | null) => (given === null ? null : (parseNodeTree(given) as Node));
  return {
    policies: rows.map(({ using, check, table, command, ...row }) => ({
      ...row,
      table: String(table),
      command: command as Policy['command'],
      using: tree(using),
      check: tree(check),
    })),
    setting: scope.setting ?? '',
    claims: scope.claims,
    functions: new Map(functions.rows.map(({ oid, ...facts }) => [oid, { ...facts, tenant: tenant.has(oid) }])),
    operators: new Map(operators.rows.map(({ oid, name }) => [oid, name])),
    tables: new Map(tables.rows.map(({ oid, object }) => [oid, object])),
    notNull: new Set(columns.rows.map(({ key }) => key)),
    unique: new Set(keys.rows.map(({ key }) => key)),
    updatable: new Set(updatable.rows.map(({ key }) => key)),
    readable: new Set(tables.rows.filter(({ readable }) => readable).map(({ oid }) => oid)),
    uses: await readUses(client),
  };
}

/** The oids of the functions that read the setting, by its name or by calling one that does. */
async function functionsOfTenant(client: pg.ClientBase, scope: LintScope): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ oid: string; name: string; source: string }>(
    `select p.oid::text, p.proname as name, concat(p.prosrc, ' ', pg_get_function_sqlbody(p.oid)) as source
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where ${ourSchema} and p.prokind in ('f', 'p')`,
  );
  const found = new Map<string, string>();
  const isNamed = ({ name }: { name: string }) => isHedgerow(scope) && name.includes('current_user_id');
  for (let before = -1; before < found.size; ) {
    before = found.size;
    const names = [scope.setting, ...[...found.values()].map((name) => `${name}(`)].filter(
      (name) => name !== undefined,
    );
    for (const one of rows)
      if (isNamed(one) || names.some((name) => one.source.includes(name))) found.set(one.oid, one.name);
  }
  return new Set(found.keys());
}
