import type pg from 'pg';
import { UsageError } from '../common/usageError.ts';
import type { Api } from './api.ts';
import { setJudgedScope } from './judgedScope.ts';
import type { PolicyFacts } from './policies.ts';
import { readPolicies } from './readPolicies.ts';
import type { Finding, Named, Rule, Severity } from './rule.ts';
import { isApiRule, isCatalogRule, isCommentRule, isPolicyRule, pageOf } from './rules.ts';
import { hedgerow, setScope } from './scope.ts';
import { tenantTables } from './tenantTables.ts';

/** A problem that a rule found. */
interface Problem {
  readonly object: string;
  readonly detail: string | null;
  readonly fingerprint?: string;
  /** The default is the severity of the rule. */
  readonly level?: Severity;
}

/** Builds the API of the database that `client` is connected to. */
export type BuildApi = (client: pg.ClientBase) => Promise<Api>;

/** The numbers of inspected objects. */
export interface Inspected {
  readonly tables: number;
  readonly policies: number;
  readonly functions: number;
}

/** Runs `work` in a read-only transaction in which unqualified names resolve to the catalogs alone. */
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
 * Applies `rules` to Hedgerow's database.
 *
 * @param client a connection whose search_path is pg_catalog.
 * @param buildApi builds the API from the catalog. Only rules about the API call it.
 */
export async function inspectCatalog(
  client: pg.ClientBase,
  rules: readonly Named<Rule>[],
  buildApi: BuildApi,
): Promise<Finding[]> {
  await setScope(client, hedgerow);
  const facts = await readPolicies(client, hedgerow);
  await setJudgedScope(client, hedgerow, facts);
  const findings = await findAll(client, rules, facts);
  const apiRules = rules.filter(isApiRule);
  if (apiRules.length === 0) return findings;
  const api = await buildApi(client);
  return [...findings, ...apiRules.flatMap((rule) => asFindings(rule, rule.ofApi(api)))];
}

/** Applies `rules` to the catalog, except those about the API. The caller sets the scope first. */
export async function findAll(
  client: pg.ClientBase,
  rules: readonly Named<Rule>[],
  facts: PolicyFacts,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const rule of rules) findings.push(...(await inspectRule(client, rule, facts)));
  return findings;
}

/** Applies one rule to the catalog. The caller sets the scope first. */
export async function inspectRule(client: pg.ClientBase, rule: Named<Rule>, facts: PolicyFacts): Promise<Finding[]> {
  return asFindings(rule, await findProblems(client, rule, facts));
}

function asFindings({ name, level, title }: Named<Rule>, problems: readonly Problem[]): Finding[] {
  return problems.map(({ object, detail, level: own, fingerprint }) => ({
    rule: name,
    level: own ?? level,
    object,
    detail: detail ?? title,
    ...(fingerprint !== undefined && { fingerprint }),
    page: pageOf(name),
  }));
}

async function findProblems(client: pg.ClientBase, rule: Named<Rule>, facts: PolicyFacts): Promise<Problem[]> {
  if (isCatalogRule(rule)) return (await client.query<Problem>(rule.query)).rows;
  if (isCommentRule(rule)) return [...rule.ofComments(facts)];
  if (!isPolicyRule(rule)) return [];
  return facts.policies.flatMap((policy) => {
    const found = rule.judge(policy, facts);
    if (!found) return [];
    const { object, fingerprint } = policy;
    return [{ object, fingerprint, ...(typeof found === 'string' ? { detail: found } : found) }];
  });
}

/**
 * Counts the objects to inspect in Hedgerow's database.
 *
 * @throws UsageError if there are none, because an empty report would then look like a good result.
 */
export async function countInspected(client: pg.ClientBase): Promise<Inspected> {
  const { rows } = await client.query<{ database: string; schema: boolean; role: boolean }>(
    `select current_database() as database, to_regnamespace('app_public') is not null as schema,
      to_regrole('hedgerow_tenant') is not null as role`,
  );
  const [{ database, schema, role }] = rows as [(typeof rows)[0]];
  const nothingInspected = (missing: string) =>
    new UsageError(
      `Nothing was inspected: database ${database} has no ${missing}. Connect to a Hedgerow database and run \`npm run db -- migrate\`.`,
    );
  if (!role) throw nothingInspected('role hedgerow_tenant');
  if (!schema) throw nothingInspected('schema app_public');
  await setScope(client, hedgerow);
  const inspected = await count(client, ['app_public', 'app_private']);
  if (inspected.tables === 0) throw nothingInspected('tenant table');
  return inspected;
}

/** Counts the tenant tables, their policies and the functions of `schemas`. The caller sets the scope first. */
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
