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
  /** Findings that comments in the SQL allow. The name is part of the JSON output. */
  readonly silenced: readonly Suppressed[];
  readonly inspected: Inspected & { readonly rules: number; readonly statements: number };
}

/**
 * Inspects Hedgerow's database and the text of migrations.
 *
 * @param client a connection that needs only read access to the catalogs.
 * @param text the files whose text is inspected: no file, all but the committed migrations, or every file. Unless it is
 *   `none`, the database must have all migrations and current.sql, and suppressions without a finding are findings.
 * @param serverUrl the server's connection to the same database, if known. With it, the linter also runs each granted
 *   command as a tenant.
 * @param buildApi builds the API from the catalog.
 * @throws UsageError if there is nothing to inspect.
 */
export async function lint(
  client: pg.ClientBase,
  text: 'none' | 'current' | 'all',
  serverUrl: string | undefined,
  buildApi: BuildApi,
): Promise<LintReport> {
  const [rules, sources] = await Promise.all([readRules(), readSources()]);
  const statementsOfAll = sources.flatMap(({ file, sql }) => splitStatements(file, sql));
  const texts = sources.filter(({ committed }) => text === 'all' || (text === 'current' && !committed));
  const { found, inspected } = await readingCatalog(client, async () => ({
    inspected: await countInspected(client),
    found: await inspectCatalog(client, rules, buildApi),
  }));
  const failures = serverUrl === undefined ? [] : await tryPolicies(serverUrl).catch(reportUntried);
  const unexplained = failures.filter(({ object }) => !found.some((one) => isAboutPolicy(one, object)));
  const { findings: ofText, statements } = await inspectText(texts, rules.filter(isTextRule));
  const subjects = new Map(rules.map((rule) => [rule.name, isTextRule(rule) ? 'text' : 'database']));
  const suppressions = readSuppressions(sources, (rule) => rule.startsWith('squawk/') || subjects.has(rule));
  const { findings, suppressed } = applySuppressions(
    [
      ...[...found, ...unexplained].map((finding) => locate(finding, statementsOfAll)),
      ...ofText,
      ...(await squawk(texts, sources)),
    ],
    suppressions,
    ({ rule, file }) =>
      text !== 'none' && (subjects.get(rule) === 'database' || texts.some((one) => one.file === file)),
  );
  return { findings, silenced: suppressed, inspected: { ...inspected, rules: rules.length, statements } };
}

/** Whether a finding already explains why a policy of the table cannot run. */
function isAboutPolicy({ rule, object }: Finding, table: string): boolean {
  return ['policy-not-executable', 'policy-reads-own-table'].includes(rule) && object.endsWith(` on ${table}`);
}

/** The server's connection is optional. Without it, only the rules about the catalog judge the policies. */
function reportUntried(error: Error): Finding[] {
  console.error(`Policies were not run as a tenant, because the server's connection failed: ${error.message}`);
  return [];
}
