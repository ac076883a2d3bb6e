import type pg from 'pg';
import { UsageError } from '../common/usageError.ts';
import type { Api } from './api.ts';
import { tenantTables } from './facts.ts';
import type { PolicyFacts } from './policies.ts';
import { readPolicies } from './readPolicies.ts';
import type { Finding, Level, Named, Rule } from './rule.ts';
import { isApiRule, isCatalogRule, isPolicyRule, pageOf } from './rules.ts';
import { hedgerow, setScope } from './scope.ts';

interface Found {
  readonly object: string;
  readonly detail: string | null;
  /** By default the rule's. */
  readonly level?: Level;
}

/** Builds the API of the database that `client` is connected to. */
export type BuildApi = (client: pg.ClientBase) => Promise<Api>;

/** How much there was to inspect. */
export interface Inspected {
  readonly tables: number;
  readonly policies: number;
  readonly functions: number;
}

/** Runs `work` in a transaction that writes nothing and finds nothing by its bare name but the catalogs. */
export async function readingCatalog<Result>(client: pg.ClientBase, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin isolation level repeatable read read only');
  try {
    await client.query('set local search_path = pg_catalog');
    return await work();
  } finally {
    await client.query('rollback');
  }
}

/**
 * The findings of `rules` in Hedgerow's database.
 *
 * @param client its search_path has to be pg_catalog.
 * @param buildApi builds the API from the catalog.
 */
export async function inspectCatalog(
  client: pg.ClientBase,
  rules: readonly Named<Rule>[],
  buildApi: BuildApi,
): Promise<Finding[]> {
  await setScope(client, hedgerow);
  const findings = await findAll(client, rules, await readPolicies(client, hedgerow));
  const apiRules = rules.filter(isApiRule);
  if (apiRules.length === 0) return findings;
  const api = await buildApi(client);
  return [...findings, ...apiRules.flatMap((rule) => asFindings(rule, rule.ofApi(api)))];
}

/** The findings of `rules` in the catalog; the scope has to be set. Rules about the API are left out. */
export async function findAll(
  client: pg.ClientBase,
  rules: readonly Named<Rule>[],
  facts: PolicyFacts,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const rule of rules) findings.push(...(await inspectRule(client, rule, facts)));
  return findings;
}

/** The findings of one rule; the scope has to be set. */
export async function inspectRule(client: pg.ClientBase, rule: Named<Rule>, facts: PolicyFacts): Promise<Finding[]> {
  return asFindings(rule, await find(client, rule, facts));
}

function asFindings({ name, level, title }: Named<Rule>, found: readonly Found[]): Finding[] {
  return found.map(({ object, detail, level: own }) => ({
    rule: name,
    level: own ?? level,
    object,
    detail: detail ?? title,
    page: pageOf(name),
  }));
}

async function find(client: pg.ClientBase, rule: Named<Rule>, facts: PolicyFacts): Promise<Found[]> {
  if (isCatalogRule(rule)) return (await client.query<Found>(rule.query)).rows;
  if (!isPolicyRule(rule)) return [];
  return facts.policies.flatMap((policy) => {
    const found = rule.judge(policy, facts);
    if (!found) return [];
    return [{ object: policy.object, ...(typeof found === 'string' ? { detail: found } : found) }];
  });
}

/**
 * Counts what there is to inspect.
 *
 * @throws UsageError where that is nothing: then no finding would mean nothing.
 */
export async function countInspected(client: pg.ClientBase): Promise<Inspected> {
  const { rows } = await client.query<{ database: string; schema: boolean; role: boolean }>(
    `select current_database() as database, to_regnamespace('app_public') is not null as schema,
      to_regrole('hedgerow_tenant') is not null as role`,
  );
  const [{ database, schema, role }] = rows as [(typeof rows)[0]];
  const nothing = (missing: string) =>
    new UsageError(`Nothing was inspected: database ${database} has no ${missing}. Is it Hedgerow's, and migrated?`);
  if (!role) throw nothing('role hedgerow_tenant');
  if (!schema) throw nothing('schema app_public');
  await setScope(client, hedgerow);
  const inspected = await count(client, ['app_public', 'app_private']);
  if (inspected.tables === 0) throw nothing('table of tenants’');
  return inspected;
}

/** Counts tenants' tables, the policies on them, and the functions of some schemas; the scope has to be set. */
export async function count(client: pg.ClientBase, schemas: readonly string[]): Promise<Inspected> {
  const { rows } = await client.query<Inspected>(
    `select count(*)::int as tables,
      (select count(*)::int from pg_policy p join ${tenantTables} t on t.oid = p.polrelid) as policies,
      (select count(*)::int from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = any ($1)) as functions
     from ${tenantTables} t`,
    [schemas],
  );
  return rows[0] as Inspected;
}
