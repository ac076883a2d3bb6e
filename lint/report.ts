import { styleText } from 'node:util';
import type { LintReport } from './lint.ts';
import type { DatabaseReport } from './lintDatabase.ts';
import type { Finding } from './rule.ts';

/** Prints the findings, the suppressed findings with their reasons, and the numbers of inspected objects. */
export function printReport({ findings, silenced, inspected }: LintReport): void {
  for (const finding of findings) console.log(describe(finding));
  for (const { rule, object, reason } of silenced) {
    console.log(styleText('dim', `allowed ${rule} ${object}: ${reason}`));
  }
  const { rules, tables, policies, functions, statements } = inspected;
  const errors = findings.filter(({ level }) => level === 'error').length;
  console.log(
    `${errors ? styleText('red', '✗') : styleText('green', '✓')} ${errors} errors, ${findings.length - errors} warnings, ${silenced.length} allowed; ` +
      `inspected by ${rules} rules: ${tables} tables, ${policies} policies, ${functions} functions, ${statements} statements`,
  );
}

/** Prints the report on a database that is not Hedgerow's, including everything that was not judged, with reasons. */
export function printDatabaseReport({ findings, notJudged, undecided, inspected, scope }: DatabaseReport): void {
  for (const finding of findings) console.log(describe(finding));
  printReasons('Not judged:', notJudged);
  printReasons('Policies that could not be judged:', undecided);
  const { rules, tables, policies, functions } = inspected;
  const errors = findings.filter(({ level }) => level === 'error').length;
  const mark = errors ? styleText('red', '✗') : undecided.length ? styleText('yellow', '?') : styleText('green', '✓');
  console.log(
    `${mark} ${errors} errors, ${findings.length - errors} warnings, ${undecided.length} not judged; inspected by ${rules} rules: ` +
      `${tables} tables, ${policies} policies, ${functions} functions in ${scope.schemas.join(', ')}, ` +
      `for ${scope.roles.join(' and ')}, with the tenant setting ${scope.setting ?? '(none)'}`,
  );
}

function printReasons(title: string, all: DatabaseReport['notJudged']): void {
  if (all.length > 0) console.log(styleText('yellow', title));
  for (const [reason, those] of Map.groupBy(all, ({ reason }) => reason))
    console.log(`  ${those.map(({ about }) => about).join(', ')}: ${reason}`);
}

function describe({ rule, level, object, detail, file, line, page }: Finding): string {
  const where = file ? `\n  ${[file, line].filter(Boolean).join(':')}` : '';
  return `${styleText(level === 'error' ? 'red' : 'yellow', level)} ${rule} ${object}: ${detail}${where}\n  ${styleText('dim', page)}`;
}
