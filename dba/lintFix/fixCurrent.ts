import { writeFile } from 'node:fs/promises';
import { styleText } from 'node:util';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import type { LintReport } from '../../lint/lint.ts';
import type { Finding } from '../../lint/rule.ts';
import { isNoTransactionDefined } from '../../postgres/internals/graphileMigrate.ts';
import { currentFile, readCurrent } from '../../postgres/migrate/currentSql.ts';
import { fixOf } from './fixes.ts';

/** Findings that were corrected, and the statements that do it. */
export interface Fixed {
  readonly fixed: readonly { readonly finding: Finding; readonly statements: readonly string[] }[];
  readonly report: LintReport;
}

const heading = '-- Written by lint --fix.';

/**
 * Corrects what needs no decision: tries the statements in the database of `client`, which is thrown away afterwards, and
 * writes those to the end of current.sql whose findings are gone then.
 *
 * @param inspect inspects that database again.
 * @throws UsageError if current.sql is a migration without a transaction, or the corrections make new errors.
 */
export async function fixCurrent(
  client: pg.ClientBase,
  report: LintReport,
  inspect: () => Promise<LintReport>,
): Promise<Fixed> {
  const current = await readCurrent();
  // Names are shown with their schema, as migrations have them.
  await client.query('set search_path = pg_catalog');
  const tried = [];
  for (const finding of report.findings) {
    const statements = await fixOf(client, finding);
    if (statements.length > 0 && (await runs(client, statements))) tried.push({ finding, statements });
  }
  if (tried.length === 0) return { fixed: [], report };
  if (isNoTransactionDefined(current)) {
    throw new UsageError('current.sql has no transaction, and corrections need one: commit it first.');
  }
  const after = await inspect();
  const remains = new Set(after.findings.map(keyOf));
  const before = new Set(report.findings.map(keyOf));
  const worse = after.findings.filter((finding) => finding.level === 'error' && !before.has(keyOf(finding)));
  if (worse.length > 0) {
    const sentences = worse.map(({ rule, object, detail }) => `${rule} ${object}: ${detail}`);
    throw new UsageError(
      ['The corrections would make new errors, and nothing was written:', ...sentences].join('\n  '),
    );
  }
  const fixed = tried.filter(({ finding }) => !remains.has(keyOf(finding)));
  const added = fixed.flatMap(({ statements }) => statements).flatMap((sql) => sql.split('\n'));
  if (added.length > 0) await writeFile(currentFile, `${current.trimEnd()}\n\n${[heading, ...added].join('\n')}\n`);
  return { fixed, report: after };
}

/** Prints what was added to current.sql as a diff. */
export function printDiff({ fixed }: Fixed): void {
  if (fixed.length === 0) {
    console.log('Nothing to fix without a decision.');
    return;
  }
  console.log('--- current.sql\n+++ current.sql');
  for (const line of [heading, ...fixed.flatMap(({ statements }) => statements)].join('\n').split('\n')) {
    console.log(styleText('green', `+${line}`));
  }
  const fixtures = fixed.flatMap(({ finding: { file } }) => (file?.startsWith('migrations/fixtures/') ? [file] : []));
  for (const file of new Set(fixtures))
    console.log(`Change ${file} as well: a migration that includes it undoes this.`);
}

const keyOf = ({ rule, object }: Finding) => `${rule} ${object}`;

async function runs(client: pg.ClientBase, statements: readonly string[]): Promise<boolean> {
  try {
    await client.query(statements.join('\n'));
    return true;
  } catch {
    return false;
  }
}
