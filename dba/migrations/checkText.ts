import { isUtf8 } from 'node:buffer';
import { type Statement, splitStatements } from '../../lint/statements.ts';
import { maskQuoted } from '../../lint/tokens.ts';
import { isNoTransactionDefined, parseMigrationText } from '../../postgres/internals/graphileMigrate.ts';
import { blank, bodyOfDo } from './blank.ts';
import { nonTransactional } from './nonTransactional.ts';
import { unqualifiedName } from './qualified.ts';
import { beginsInBody, type Mistake, sessionSettings } from './sessionSettings.ts';

/**
 * Checks that a file is UTF-8 without a byte order mark and with LF line endings. Anything else changes hashes or causes
 * invisible syntax errors.
 */
export function encodingProblems(file: string, bytes: Uint8Array): string[] {
  if (bytes.includes(0)) return [`${file} is not UTF-8: save it as UTF-8`];
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const problems: string[] = [];
  const line = foreignLine(bytes);
  if (line !== undefined) {
    problems.push(`${file}:${line}: has bytes that are not UTF-8, for example Latin-1 letters: save the file as UTF-8`);
  }
  if (text.startsWith('\ufeff')) {
    problems.push(`${file} starts with a byte order mark, a syntax error in Postgres: save it as UTF-8 without BOM`);
  }
  if (text.includes('\r')) {
    problems.push(`${file} has CRLF line endings: save it with LF (in .gitattributes: *.sql text eol=lf)`);
  }
  return problems;
}

/** Returns the number of the first line that is not UTF-8. */
function foreignLine(bytes: Uint8Array): number | undefined {
  // In UTF-8 the newline byte is never part of another character.
  for (let line = 1, from = 0; from < bytes.length; line += 1) {
    const end = bytes.indexOf(10, from);
    const to = end < 0 ? bytes.length : end;
    if (!isUtf8(bytes.subarray(from, to))) return line;
    from = to + 1;
  }
  return undefined;
}

/**
 * Checks the SQL of an uncommitted migration. Returns a sentence for each mistake; it starts with file and line.
 *
 * @param searchPath the search_path of the migration connection. If it is `pg_catalog`, names must include a schema.
 */
export function textProblems(file: string, sql: string, searchPath?: string): string[] {
  const statements = splitStatements(file, sql);
  const declared = isNoTransactionDefined(parseMigrationText(file, sql, false).body);
  const mistakes = [
    ...invisibleCharacters(sql),
    ...psqlCommands(sql, statements),
    ...outsideTransaction(sql, statements, declared),
    ...statements.flatMap((statement) => [...endedTransaction(statement, declared), ...sessionSettings(statement)]),
    ...(searchPath === 'pg_catalog' ? unqualifiedName(statements) : []),
  ];
  return sentences(file, mistakes);
}

/**
 * Checks a committed migration. It can no longer be edited, so only mistakes that could apply half of it are reported.
 */
export function committedProblems(file: string, body: string): string[] {
  const declared = isNoTransactionDefined(body);
  const statements = splitStatements(file, body);
  return sentences(
    file,
    statements.flatMap((statement) => endedTransaction(statement, declared)),
  );
}

function sentences(file: string, mistakes: readonly Mistake[]): string[] {
  return [...mistakes].sort((a, b) => a.line - b.line).map(({ line, message }) => `${file}:${line}: ${message}`);
}

const lineAt = (sql: string, index: number) => sql.slice(0, index).split('\n').length;

function invisibleCharacters(sql: string): Mistake[] {
  const found = /[\u00a0\u200b-\u200f\u2028-\u202e\u2060\ufeff]/.exec(blank(sql));
  if (!found) return [];
  const code = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  const message = `the invisible character U+${code} is a syntax error in Postgres: delete it or write a space`;
  return [{ line: lineAt(sql, found.index), message }];
}

const insteadOfPsql: readonly (readonly [RegExp, string])[] = [
  [/^\\ir?$/, 'move the file to migrations/fixtures/ and write `--! include name.sql`'],
  [/^\\copy$/, 'write `insert into … values …`'],
  [/^\\(set|gset)$/, 'write the value, or a placeholder of .gmrc such as :NAME'],
  [/^\\(c|connect)$/, 'remove it, because the connection string selects the database'],
];

function psqlCommands(sql: string, statements: readonly Statement[]): Mistake[] {
  const text = blank(sql);
  const commands = [...text.matchAll(/\\[a-z!?]\w*/gi)].map(({ 0: name, index }) => {
    const instead = insteadOfPsql.find(([pattern]) => pattern.test(name))?.[1] ?? 'write it in SQL, or remove it';
    const message = `${name} is a psql command, but migrations do not run in psql: ${instead}`;
    return { line: lineAt(sql, index), message };
  });
  const copies = statements
    .filter((statement) => /^copy\b.* from (stdin|program)\b/i.test(maskQuoted(statement.sql).text))
    .map(({ line }) => ({
      line,
      message: '`copy … from stdin` needs data from a client, but a migration has none: write `insert into … values …`',
    }));
  return [...commands, ...copies];
}

function outsideTransaction(sql: string, statements: readonly Statement[], declared: boolean): Mistake[] {
  const mistakes = statements.flatMap((statement, index): Mistake[] => {
    const found = nonTransactional(statement, statements.slice(0, index));
    if (found === undefined || (declared && statements.length === 1)) return [];
    const { command, instead } = found;
    const alone = 'make it the only statement of a migration whose first line is `--! no-transaction`';
    const message = declared
      ? `\`${command}\` must be the only statement of its migration: move the others to a separate migration`
      : `\`${command}\` cannot run in a transaction: ${instead && `${instead}, or `}${alone}`;
    return [{ line: statement.line, message }];
  });
  const late = declared ? undefined : /^--!\s*no-transaction\b/m.exec(sql);
  if (late) mistakes.push({ line: lineAt(sql, late.index), message: '`--! no-transaction` must be the first line' });
  return mistakes;
}

const transactionControl =
  /^(begin|start transaction|commit|end|abort|rollback|savepoint|release|prepare transaction)\b/i;

/** @param declared whether the migration starts with `--! no-transaction`. */
function endedTransaction({ text, sql, line }: Statement, declared: boolean): Mistake[] {
  const [command] = transactionControl.exec(text) ?? [];
  const half = 'if a later statement failed, half of the migration would remain applied';
  if (command) {
    const message = declared
      ? `\`${command.toLowerCase()}\` controls the transaction, but \`--! no-transaction\` is only for a single statement that cannot run in a transaction: ${half}. Remove \`--! no-transaction\` and \`${command.toLowerCase()}\`; the migration is then one transaction`
      : `\`${command.toLowerCase()}\` controls the transaction, but every migration already runs in one transaction: ${half}. Remove it`;
    return [{ line, message }];
  }
  const body = bodyOfDo(sql);
  if (body === undefined || !beginsInBody(body, /^(?:commit|rollback)\b(?! ?(?::=|=|\[|\.))/i)) return [];
  const instead = 'remove the commit or rollback, or change the rows with `npm run db -- backfill`';
  const message = declared
    ? `a \`do\` block that commits or rolls back leaves half of its work applied if it fails: ${instead}`
    : `a \`do\` block in a migration cannot commit or roll back: ${instead}`;
  return [{ line, message }];
}
