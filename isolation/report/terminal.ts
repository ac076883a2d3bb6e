import { styleText } from 'node:util';
import type { Attempt } from '../attempt.ts';
import { exitCodeOf, groupLeaks, leaksOf, type Proof } from '../proof.ts';
import { groupAlike } from '../unproven.ts';

/** The report for the terminal: the attacks per table, then each leak with its evidence. */
export function terminalReport(proof: Proof): string {
  const { attempts, controls, owners, unproven, notJudged, mutants, seed, seconds, database } = proof;
  const operations = ['select', 'insert', 'update', 'delete', 'call', 'other'] as const;
  const width = Math.max(...proof.tables.map((name) => name.length), 5);
  const lines = [`Isolation of ${database}, seed ${seed}`, ''];
  lines.push(`${'attacks on'.padEnd(width)}${operations.map((name) => name.padStart(8)).join('')}  leaks`);
  for (const table of proof.tables) {
    const on = attempts.filter((attempt) => attempt.table === table && attempt.outcome !== 'not applicable');
    const leaks = on.filter(({ outcome }) => outcome === 'leaked').length;
    const counts = operations.map((name) =>
      String(on.filter(({ operation }) => operation === name).length || '·').padStart(8),
    );
    lines.push(
      `${table.padEnd(width)}${counts.join('')}${leaks ? styleText('red', String(leaks).padStart(7)) : '      ·'}`,
    );
  }
  lines.push(
    '',
    styleText('dim', 'Owners of the rows:'),
    ...Object.entries(owners).map(([table, why]) => styleText('dim', `  ${table}: ${why}`)),
  );
  const idle = controls.filter(({ works }) => !works);
  if (idle.length > 0) {
    lines.push('', styleText('yellow', 'Granted, but does not work for the owner of the row:'));
    for (const { what, first } of groupAlike(idle))
      lines.push(`  ${what} on ${first.table}: ${first.reason ?? first.answer}`);
  }
  const leaks = leaksOf(proof);
  for (const found of groupLeaks(leaks)) {
    const [first] = found as [Attempt];
    const others = [...new Set(found.map(({ attack }) => attack))].filter((attack) => attack !== first.attack);
    const times = found.length > 1 ? ` (${found.length} times)` : '';
    lines.push('', styleText('red', `LEAK  ${first.table}: ${first.attack}${times}`));
    if (others.length > 0) lines.push(`      Also leaked by: ${others.join(', ')}.`);
    lines.push(...indent(first.statement), ...indent(first.evidence ?? ''));
  }
  for (const { description, reason } of mutants?.filter(({ outcome }) => outcome === 'survived') ?? []) {
    lines.push('', styleText('red', `SURVIVED  ${description}`), ...indent(reason ?? ''));
  }
  if (notJudged.length > 0) lines.push('', styleText('dim', 'Not judged:'));
  for (const [reason, all] of Map.groupBy(notJudged, (one) => one.reason))
    lines.push(styleText('dim', `  ${all.map(({ about }) => about).join(', ')}: ${reason}`));
  if (unproven.length > 0) lines.push('', styleText('yellow', 'Not proven:'), ...unproven.map((why) => `  ${why}`));
  const paths = [...new Set(attempts.map(({ path }) => path))].map(
    (path) => `${attempts.filter((attempt) => attempt.path === path).length} by ${path}`,
  );
  lines.push(
    '',
    `${attempts.length} attacks${paths.length > 0 ? ` (${paths.join(', ')})` : ''}, ${controls.length} controls, ${Math.round(seconds)} s`,
  );
  if (mutants) {
    const count = (outcome: string) => mutants.filter((mutant) => mutant.outcome === outcome).length;
    lines.push(
      `${mutants.length} mutants: ${count('killed')} killed, ${count('survived')} survived, ${count('equivalent')} equivalent`,
    );
  }
  const verdict = [
    'Proven: no tenant reached the rows of another.',
    leaks.length ? `${leaks.length} attacks leaked.` : 'The attacks do not detect every fault.',
    'Nothing leaked, but the run is not a proof: see above.',
  ];
  const code = exitCodeOf(proof);
  lines.push(styleText(code === 0 ? 'green' : 'red', verdict[code] as string));
  return lines.join('\n');
}

const indent = (text: string) => text.split('\n').map((line) => `      ${line}`);
