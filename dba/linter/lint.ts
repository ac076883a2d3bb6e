import type pg from 'pg';
import { countInspected, type Inspected, inspectCatalog, readingCatalog } from './catalog.ts';
import { locate } from './locate.ts';
import type { Finding } from './rule.ts';
import { isTextRule, readRules } from './rules.ts';
import { applySilences, readSilences, type Silenced } from './silence.ts';
import { readSources } from './sources.ts';
import { squawk } from './squawk.ts';
import { splitStatements } from './statements.ts';
import { inspectText } from './text.ts';

export interface LintReport {
  readonly findings: readonly Finding[];
  /** What comments in the SQL allow. */
  readonly silenced: readonly Silenced[];
  readonly inspected: Inspected & { readonly rules: number; readonly statements: number };
}

/**
 * Inspects the database of `client`, which needs no right but to read the catalogs, and the text of migrations.
 *
 * @param text which files' text is inspected beside the database. With any of it, the database has to have all migrations
 * and current.sql, and comments that allow what is not there are findings.
 * @throws UsageError where there is nothing to inspect.
 */
export async function lint(client: pg.ClientBase, text: 'none' | 'current' | 'all' = 'none'): Promise<LintReport> {
  const [rules, sources] = await Promise.all([readRules(), readSources()]);
  const all = sources.flatMap(({ file, sql }) => splitStatements(file, sql));
  const texts = sources.filter(({ committed }) => text === 'all' || (text === 'current' && !committed));
  const { found, inspected } = await readingCatalog(client, async () => ({
    inspected: await countInspected(client),
    found: await inspectCatalog(client, rules),
  }));
  const { findings: written, statements } = await inspectText(texts, rules.filter(isTextRule));
  const about = new Map(rules.map((rule) => [rule.name, isTextRule(rule) ? 'text' : 'database']));
  const silences = readSilences(sources, (rule) => rule.startsWith('squawk/') || about.has(rule));
  const { findings, silenced } = applySilences(
    [...found.map((finding) => locate(finding, all)), ...written, ...(await squawk(texts, sources))],
    silences,
    ({ rule, file }) => text !== 'none' && (about.get(rule) === 'database' || texts.some((one) => one.file === file)),
  );
  return { findings, silenced, inspected: { ...inspected, rules: rules.length, statements } };
}
