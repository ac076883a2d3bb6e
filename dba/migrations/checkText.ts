import { isUtf8 } from 'node:buffer';
import { type Statement, splitStatements } from '../../lint/statements.ts';
import { maskQuoted } from '../../lint/tokens.ts';
import { isNoTransactionDefined, parseMigrationText } from '../../postgres/internals/graphileMigrate.ts';
import { blank, bodyOfDo } from './blank.ts';
import { nonTransactional } from './nonTransactional.ts';
import { unqualifiedName } from './qualified.ts';
import { beginsInBody, type Mistake, sessionSettings } from './sessionSettings.ts';

/** UTF-8 without a byte order mark and with LF line ends: everything else breaks hashes or is an invisible syntax error. */
export function encodingProblems(file: string, bytes: Uint8Array): string[] {
  if (bytes.includes(0)) return [`${file} is not UTF-8: save it in that encoding`];
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const problems: string[] = [];
  const line = foreignLine(bytes);
  if (line !== undefined) {
    problems.push(`${file}:${line}: has bytes that are not UTF-8, such as letters in Latin-1: save the file as UTF-8`);
  }
  if (text.startsWith('\ufeff')) {
    problems.push(`${file} begins with a byte order mark, a syntax error for Postgres: save it as UTF-8 without BOM`);
  }
  if (text.includes('\r')) {
    problems.push(`${file} has CRLF line ends: save it with LF (in .gitattributes: *.sql text eol=lf)`);
  }
  return problems;
}

/** The first line with bytes that are not UTF-8. */
function foreignLine(bytes: Uint8Array): number | undefined {
  // In UTF-8 the byte of a line end is never part of another character.
  for (let line = 1, from = 0; from < bytes.length; line += 1) {
    const end = bytes.indexOf(10, from);
    const to = end < 0 ? bytes.length : end;
    if (!isUtf8(bytes.subarray(from, to))) return line;
    from = to + 1;
  }
  return undefined;
}

/**
 * The mistakes in the SQL of a migration that is not committed yet, each as a sentence that begins with file and line.
 *
 * @param searchPath of the connection that runs it; names need their schema if it is pg_catalog alone.
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

/** The mistakes in a committed migration, which cannot be edited: only those that would leave half of it behind. */
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
  const message = `the invisible character U+${code} is a syntax error for Postgres: delete it or write a space`;
  return [{ line: lineAt(sql, found.index), message }];
}

const insteadOfPsql: readonly (readonly [RegExp, string])[] = [
  [/^\\ir?$/, 'put the file into migrations/fixtures/ and write `--! include name.sql`'],
  [/^\\copy$/, 'write `insert into … values …`'],
  [/^\\(set|gset)$/, 'write the value, or a placeholder of .gmrc such as :NAME'],
  [/^\\(c|connect)$/, 'the connection string says which database it is'],
];

function psqlCommands(sql: string, statements: readonly Statement[]): Mistake[] {
  const text = blank(sql);
  const commands = [...text.matchAll(/\\[a-z!?]\w*/gi)].map(({ 0: name, index }) => {
    const instead = insteadOfPsql.find(([pattern]) => pattern.test(name))?.[1] ?? 'write it in SQL, or remove it';
    const message = `${name} is a command of psql, and Postgres itself runs migrations: ${instead}`;
    return { line: lineAt(sql, index), message };
  });
  const copies = statements
    .filter((statement) => /^copy\b.* from (stdin|program)\b/i.test(maskQuoted(statement.sql).text))
    .map(({ line }) => ({
      line,
      message:
        '`copy … from stdin` needs the data of a client, and a migration has none: write `insert into … values …`',
    }));
  return [...commands, ...copies];
}

function outsideTransaction(sql: string, statements: readonly Statement[], declared: boolean): Mistake[] {
  const mistakes = statements.flatMap((statement, index): Mistake[] => {
    const found = nonTransactional(statement, statements.slice(0, index));
    if (found === undefined || (declared && statements.length === 1)) return [];
    const { command, instead } = found;
    const alone = 'put it alone into a migration whose first line is `--! no-transaction`';
    const message = declared
      ? `\`${command}\` cannot run beside other statements: move them to a migration of their own`
      : `\`${command}\` cannot run in a transaction: ${instead && `${instead}, or `}${alone}`;
    return [{ line: statement.line, message }];
  });
  const late = declared ? undefined : /^--!\s*no-transaction\b/m.exec(sql);
  if (late) mistakes.push({ line: lineAt(sql, late.index), message: '`--! no-transaction` must be the first line' });
  return mistakes;
}

const transactionControl =
  /^(begin|start transaction|commit|end|abort|rollback|savepoint|release|prepare transaction)\b/i;

/** @param declared whether the migration begins with `--! no-transaction`. */
function endedTransaction({ text, sql, line }: Statement, declared: boolean): Mistake[] {
  const [command] = transactionControl.exec(text) ?? [];
  const half = 'if a statement after it failed, half of the migration would stay';
  if (command) {
    const message = declared
      ? `\`${command.toLowerCase()}\` controls the transaction, and \`--! no-transaction\` is for one statement that cannot run in one: ${half}. Remove \`--! no-transaction\` and \`${command.toLowerCase()}\`; the migration then is one transaction`
      : `\`${command.toLowerCase()}\` controls the transaction, and a migration is one transaction of its own: ${half}. Remove it`;
    return [{ line, message }];
  }
  const body = bodyOfDo(sql);
  if (body === undefined || !beginsInBody(body, /^(?:commit|rollback)\b(?! ?(?::=|=|\[|\.))/i)) return [];
  const instead = 'remove that, or change rows with `npm run db -- backfill`';
  const message = declared
    ? `a \`do\` block that commits or rolls back leaves half of its work where it fails: ${instead}`
    : `a \`do\` block in a migration cannot commit or roll back: ${instead}`;
  return [{ line, message }];
}
