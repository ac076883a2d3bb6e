import { writeFile } from 'node:fs/promises';
import { styleText } from 'node:util';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import type { LintReport } from '../../lint/lint.ts';
import type { Finding } from '../../lint/rule.ts';
import { isNoTransactionDefined } from '../../postgres/internals/graphileMigrate.ts';
import { currentFile, readCurrent } from '../../postgres/migrate/currentSql.ts';
import { fixOf } from './fixes.ts';

/** The corrected findings with their statements, and the report after the corrections. */
export interface Fixed {
  readonly fixed: readonly { readonly finding: Finding; readonly statements: readonly string[] }[];
  readonly report: LintReport;
}

const heading = '-- Written by lint --fix.';

/**
 * Corrects the findings that need no human decision. It runs the corrections in the scratch database of `client`, inspects
 * the database again, and appends the corrections whose findings are gone to current.sql.
 *
 * @param inspect lints the scratch database again.
 * @throws UsageError if current.sql is a migration without a transaction, or if the corrections cause new errors.
 */
export async function fixCurrent(
  client: pg.ClientBase,
  report: LintReport,
  inspect: () => Promise<LintReport>,
): Promise<Fixed> {
  const current = await readCurrent();
  // Postgres then shows names with their schema, as migrations need them.
  await client.query('set search_path = pg_catalog');
  const tried = [];
  for (const finding of report.findings) {
    const statements = await fixOf(client, finding);
    if (statements.length > 0 && (await runs(client, statements))) tried.push({ finding, statements });
  }
  if (tried.length === 0) return { fixed: [], report };
  if (isNoTransactionDefined(current)) {
    throw new UsageError(
      'The corrections need a transaction, and current.sql runs without one. Commit current.sql first.',
    );
  }
  const after = await inspect();
  const remains = new Set(after.findings.map(keyOf));
  const before = new Set(report.findings.map(keyOf));
  const worse = after.findings.filter((finding) => finding.level === 'error' && !before.has(keyOf(finding)));
  if (worse.length > 0) {
    const errors = worse.map(({ rule, object, detail }) => `${rule} ${object}: ${detail}`);
    throw new UsageError(
      ['The corrections would cause new errors, so nothing was written. Fix these findings by hand:', ...errors].join(
        '\n  ',
      ),
    );
  }
  const fixed = tried.filter(({ finding }) => !remains.has(keyOf(finding)));
  const added = fixed.flatMap(({ statements }) => statements).flatMap((sql) => sql.split('\n'));
  if (added.length > 0) await writeFile(currentFile, `${current.trimEnd()}\n\n${[heading, ...added].join('\n')}\n`);
  return { fixed, report: after };
}

/** Prints the additions to current.sql as a diff. */
export function printDiff({ fixed }: Fixed): void {
  if (fixed.length === 0) {
    console.log('Nothing to fix: no finding has an automatic correction.');
    return;
  }
  console.log('--- current.sql\n+++ current.sql');
  for (const line of [heading, ...fixed.flatMap(({ statements }) => statements)].join('\n').split('\n')) {
    console.log(styleText('green', `+${line}`));
  }
  const fixtures = fixed.flatMap(({ finding: { file } }) => (file?.startsWith('migrations/fixtures/') ? [file] : []));
  for (const file of new Set(fixtures))
    console.log(`Change ${file} as well. Otherwise the next migration that includes it undoes the correction.`);
}

const keyOf = ({ rule, object }: Finding) => `${rule} ${object}`;

/** Whether the statements run without an error. */
async function runs(client: pg.ClientBase, statements: readonly string[]): Promise<boolean> {
  try {
    await client.query(statements.join('\n'));
    return true;
  } catch {
    return false;
  }
}
