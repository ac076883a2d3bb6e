import type pg from 'pg';
import { type BuildApi, countInspected, type Inspected, inspectCatalog, readingCatalog } from './catalog.ts';
import { locate } from './locate.ts';
import type { Finding } from './rule.ts';
import { isTextRule, readRules } from './rules.ts';
import { readSources } from './sources.ts';
import { squawk } from './squawk.ts';
import { splitStatements } from './statements.ts';
import { applySuppressions, readSuppressions, type Suppressed } from './suppressions.ts';
import { inspectText } from './text.ts';
import { tryPolicies } from './tryPolicies.ts';

export interface LintReport {
  readonly findings: readonly Finding[];
  /** What comments in the SQL allow. */
  readonly silenced: readonly Suppressed[];
  readonly inspected: Inspected & { readonly rules: number; readonly statements: number };
}

/**
 * Inspects the database of `client`, which needs no right but to read the catalogs, and the text of migrations.
 *
 * @param text which files' text is inspected beside the database. With any of it, the database has to have all migrations
 * and current.sql, and comments that allow what is not there are findings.
 * @param serverUrl the server's own connection to the same database, where it is known: its policies are tried as a tenant.
 * @param buildApi builds the API from the catalog.
 * @throws UsageError where there is nothing to inspect.
 */
export async function lint(
  client: pg.ClientBase,
  text: 'none' | 'current' | 'all',
  serverUrl: string | undefined,
  buildApi: BuildApi,
): Promise<LintReport> {
  const [rules, sources] = await Promise.all([readRules(), readSources()]);
  const all = sources.flatMap(({ file, sql }) => splitStatements(file, sql));
  const texts = sources.filter(({ committed }) => text === 'all' || (text === 'current' && !committed));
  const { found, inspected } = await readingCatalog(client, async () => ({
    inspected: await countInspected(client),
    found: await inspectCatalog(client, rules, buildApi),
  }));
  const tried = serverUrl === undefined ? [] : await tryPolicies(serverUrl).catch(untried);
  const untold = tried.filter(({ object }) => !found.some((one) => isAboutPolicy(one, object)));
  const { findings: written, statements } = await inspectText(texts, rules.filter(isTextRule));
  const about = new Map(rules.map((rule) => [rule.name, isTextRule(rule) ? 'text' : 'database']));
  const suppressions = readSuppressions(sources, (rule) => rule.startsWith('squawk/') || about.has(rule));
  const { findings, silenced } = applySuppressions(
    [...[...found, ...untold].map((finding) => locate(finding, all)), ...written, ...(await squawk(texts, sources))],
    suppressions,
    ({ rule, file }) => text !== 'none' && (about.get(rule) === 'database' || texts.some((one) => one.file === file)),
  );
  return { findings, silenced, inspected: { ...inspected, rules: rules.length, statements } };
}

/** Whether a finding tells already why a policy of the table cannot run. */
function isAboutPolicy({ rule, object }: Finding, table: string): boolean {
  return ['policy-not-executable', 'policy-reads-own-table'].includes(rule) && object.endsWith(` on ${table}`);
}

/** The lint needs no connection of the server: without one, policies are judged by the catalog alone. */
function untried(error: Error): Finding[] {
  console.error(`Policies were not tried as a tenant: ${error.message}`);
  return [];
}
