import { stripVTControlCharacters, styleText } from 'node:util';
import { size } from '../cli/progress.ts';
import type { Use } from './activity.ts';
import type { AssessedLock, AssessedStatement } from './assess.ts';
import type { Rehearsal } from './rehearsal.ts';

/** Maximum length of a printed line of SQL or of the schema. */
const maxLength = 160;

/** Whether the rehearsal found a problem that has to be fixed. */
export function hasFindings({ migrations, unkept, traffic, findings }: Rehearsal): boolean {
  return (
    traffic.broken.length > 0 ||
    unkept.length > 0 ||
    findings.some(({ level }) => level === 'error') ||
    migrations.some(
      ({ failure, statements }) =>
        failure || statements.some(({ locks, blind }) => blind || locks.some(({ tooLong }) => tooLong)),
    )
  );
}

/** Formats the report as lines, with colors if the terminal supports them. */
export function reportLines(rehearsal: Rehearsal): string[] {
  const { database, migrations, unkept, traffic, schema, findings } = rehearsal;
  const failed = migrations.some(({ failure }) => failure);
  const unseen = '  not checked, because the migration failed';
  const heading = (text: string) => ['', styleText('bold', text)];
  return [
    `Rehearsal on a copy of ${database}`,
    ...migrations.flatMap(({ file, statements, failure }) => [
      ...heading(file),
      ...statements.flatMap(statementLines),
      ...(failure ? [`${bad} line ${failure.line}: ${failure.message}`] : []),
    ]),
    ...unkept.map(
      ({ table, name, message }) => `${bad} ${table}: the foreign key ${name} is marked as valid, but ${message}`,
    ),
    ...heading('Tenants'),
    traffic.workers === 0
      ? '  no traffic (--traffic 0)'
      : `  ${traffic.operations} reads and writes on ${traffic.workers} connections`,
    ...traffic.broken.map(
      ({ table, kind, message }) => `${bad} a ${kind} of ${table} that worked before fails: ${message}`,
    ),
    ...heading('Schema'),
    ...(failed ? [unseen] : schema.length > 0 ? schema.map(colored) : ['  unchanged']),
    ...heading('Lint and attacks'),
    ...(findings.length > 0
      ? findings.map(
          ({ rule, level, object, detail, page }) =>
            `${level === 'error' ? bad : warning} ${rule} ${object}: ${detail} ${styleText('dim', page)}`,
        )
      : [failed ? unseen : `${good} no findings`]),
    '',
    hasFindings(rehearsal) ? `${bad} not ready: fix the problems marked above` : `${good} ready`,
  ];
}

/** Formats the report as Markdown, for a pull request. */
export function reportMarkdown(rehearsal: Rehearsal): string {
  const [title, ...lines] = reportLines(rehearsal).map(stripVTControlCharacters);
  return `### ${title}\n\n\`\`\`diff\n${lines.slice(1).join('\n')}\n\`\`\`\n`;
}

const bad = styleText('red', '✗');
const warning = styleText('yellow', '!');
const good = styleText('green', '✓');

function statementLines({
  line,
  text,
  milliseconds,
  waited,
  rows,
  blindTables,
  rewritten,
  locks,
  instead,
}: AssessedStatement): string[] {
  const notable = locks.filter(
    ({ blocks, longestRead, longestWrite }) => blocks !== 'nothing' || longestRead + longestWrite > 0,
  );
  const notes = [
    ...(waited > 0 ? [`waited ${time(waited)} for locks`] : []),
    ...(rows === null ? [] : [`${rows.toLocaleString('en')} rows`]),
    ...rewritten.map((table) => `rewrites ${table}`),
  ];
  return [
    `  ${String(line).padStart(4)} ${time(milliseconds).padStart(8)}  ${brief(text)}`,
    ...(notes.length > 0 ? [`        ${notes.join(', ')}`] : []),
    ...blindTables.map(
      (table) =>
        `    ${bad}   found no rows of ${table}: FORCE ROW LEVEL SECURITY hides them from the owner (docs/dba.md, Data migrations)`,
    ),
    ...notable.map(lockLine),
    ...(instead ? [`        ${styleText('yellow', 'instead:')} ${instead}`] : []),
  ];
}

function lockLine({ table, mode, blocks, held, longestRead, longestWrite, use, tooLong }: AssessedLock): string {
  const pauses = [
    ...(longestRead > 0 ? [`a read took ${time(longestRead)}`] : []),
    ...(longestWrite > 0 ? [`a write took ${time(longestWrite)}`] : []),
  ];
  const effect = blocks === 'nothing' ? 'locks rows' : `blocks ${blocks}`;
  const parts = [`${effect} for ${time(held)}`, ...pauses, describeUse(use)];
  return `    ${tooLong ? bad : ' '}   ${mode} on ${table}: ${parts.join(', ')}`;
}

function describeUse(use: Use | undefined): string {
  if (!use) return 'not in the database yet';
  const { busy, rows, bytes, readRate, writeRate } = use;
  const rate = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 1 });
  return `${busy ? 'busy' : 'not busy'}: ${Math.round(rows).toLocaleString('en')} rows, ${size(bytes)}, ${rate(readRate)} reads and ${rate(writeRate)} writes per second`;
}

function colored(line: string): string {
  return styleText(line.startsWith('+') ? 'green' : line.startsWith('-') ? 'red' : 'dim', brief(line));
}

function brief(text: string): string {
  const line = text.replace(/\n/g, ' ');
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line;
}

function time(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.max(1, Math.round(milliseconds))} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
