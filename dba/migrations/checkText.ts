import { isNoTransactionDefined } from 'graphile-migrate/dist/header.js';
import { parseMigrationText } from 'graphile-migrate/dist/migration.js';
import { type Statement, splitStatements } from '../linter/statements.ts';
import { blank, bodyOfDo } from './blank.ts';
import { unqualifiedName } from './qualified.ts';

/** A mistake that must be corrected before a migration runs, and where it is. */
interface Mistake {
  readonly line: number;
  readonly message: string;
}

/** A text without a byte order mark and with LF line ends: everything else breaks hashes or is an invisible syntax error. */
export function encodingProblems(file: string, text: string): string[] {
  if (text.includes('\0')) return [`${file} is not UTF-8: save it in that encoding`];
  const problems: string[] = [];
  if (text.startsWith('\ufeff')) {
    problems.push(`${file} begins with a byte order mark, a syntax error for Postgres: save it as UTF-8 without BOM`);
  }
  if (text.includes('\r')) {
    problems.push(`${file} has CRLF line ends: save it with LF (in .gitattributes: *.sql text eol=lf)`);
  }
  return problems;
}

/**
 * The mistakes in the SQL of a migration that is not committed yet, each as a sentence that begins with file and line.
 *
 * @param searchPath of the connection that runs it; names need their schema if it is pg_catalog alone.
 */
export function textProblems(file: string, sql: string, searchPath?: string): string[] {
  const encoding = encodingProblems(file, sql);
  if (encoding.length > 0) return encoding;
  const statements = splitStatements(file, sql);
  const mistakes = [
    ...invisibleCharacters(sql),
    ...psqlCommands(sql),
    ...outsideTransaction(file, sql, statements),
    ...statements.flatMap((statement) => [...endedTransaction(statement), ...sessionSettings(statement)]),
    ...(searchPath === 'pg_catalog' ? unqualifiedName(statements) : []),
  ];
  return sentences(file, mistakes);
}

/** The mistakes in a committed migration, which cannot be edited: only those that would leave half of it behind. */
export function committedProblems(file: string, body: string): string[] {
  return sentences(file, splitStatements(file, body).flatMap(endedTransaction));
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

function psqlCommands(sql: string): Mistake[] {
  const text = blank(sql);
  const commands = [...text.matchAll(/\\[a-z!?]\w*/gi)].map(({ 0: name, index }) => {
    const instead = insteadOfPsql.find(([pattern]) => pattern.test(name))?.[1] ?? 'write it in SQL, or remove it';
    const message = `${name} is a command of psql, and Postgres itself runs migrations: ${instead}`;
    return { line: lineAt(sql, index), message };
  });
  const copies = [...text.matchAll(/\bcopy\b[^;]*\bfrom\s+(stdin|program)\b/gi)].map(({ index }) => ({
    line: lineAt(sql, index),
    message: '`copy … from stdin` needs the data of a client, and a migration has none: write `insert into … values …`',
  }));
  return [...commands, ...copies];
}

const neverInTransaction =
  /^((create( unique)?|drop) index concurrently|reindex\b.*\bconcurrently|alter table\b.*\bdetach partition\b.*\bconcurrently|vacuum|(create|drop) (database|tablespace)|alter system)\b/is;

function outsideTransaction(file: string, sql: string, statements: readonly Statement[]): Mistake[] {
  const { body } = parseMigrationText(file, sql, false);
  const declared = isNoTransactionDefined(body);
  const mistakes = statements.flatMap(({ text, line }): Mistake[] => {
    const what = neverInTransaction.exec(text)?.[1]?.slice(0, 60);
    if (what === undefined || (declared && statements.length === 1)) return [];
    const message = declared
      ? `\`${what}\` cannot run beside other statements: move them to a migration of their own`
      : `\`${what}\` cannot run in a transaction: put it alone into a migration whose first line is \`--! no-transaction\``;
    return [{ line, message }];
  });
  const late = declared ? undefined : /^--!\s*no-transaction\b/m.exec(sql);
  if (late) mistakes.push({ line: lineAt(sql, late.index), message: '`--! no-transaction` must be the first line' });
  return mistakes;
}

const transactionControl =
  /^(begin|start transaction|commit|end|abort|rollback|savepoint|release|prepare transaction)\b/i;

function endedTransaction({ text, sql, line }: Statement): Mistake[] {
  const [command] = transactionControl.exec(text) ?? [];
  if (command) {
    const message = `\`${command.toLowerCase()}\` controls the transaction, and a migration is one transaction of its own: if something after it failed, half of the migration would stay. Remove it`;
    return [{ line, message }];
  }
  const body = bodyOfDo(sql);
  if (body === undefined || !inBody(body, 'commit|rollback')) return [];
  const message =
    'a `do` block in a migration cannot commit or roll back: remove that, or change rows with `npm run db -- backfill`';
  return [{ line, message }];
}

const sessionSetting = /^(set(?! (local|constraints|transaction)\b)|reset|discard)\b/i;
const setConfig =
  /\bset_config\s*\(([^()]|\([^()]*\))*?,\s*(is_local\s*=>\s*)?((?:pg_catalog\.)?false|no|'(f|false|off|no|0)')/i;

function sessionSettings({ text, sql, line }: Statement): Mistake[] {
  const message = (instead: string) =>
    `it changes the session and would hold for the migrations after this one: ${instead}`;
  const local = text.replace(/^set (session (?!authorization\b|characteristics\b))?/i, 'set local ');
  if (sessionSetting.test(text)) {
    const isSet = /^set\b/i.test(text) && !/^set session characteristics/i.test(text);
    const instead = isSet
      ? `write \`${local.slice(0, 80)}\``
      : 'remove it; settings made by `set local` end with the migration';
    return [{ line, message: `\`${text.slice(0, 80)}\`: ${message(instead)}` }];
  }
  const body = bodyOfDo(sql);
  const called = body ?? (/^(select|with|values|insert|update|delete|merge|call|do)\b/i.test(text) ? text : '');
  if (setConfig.test(called))
    return [{ line, message: `\`set_config(…, false)\`: ${message('pass true as its third argument')}` }];
  if (body === undefined || !inBody(body, 'set(?!\\s+(local|constraints|transaction)\\b)|reset|discard')) return [];
  return [{ line, message: `a setting in a \`do\` block: ${message('write `set local`')}` }];
}

/** Whether a statement of a PL/pgSQL body begins with one of the commands. */
function inBody(body: string, commands: string): boolean {
  return new RegExp(`(^|;|\\b(begin|then|else|loop)\\b)\\s*(${commands})\\b`, 'i').test(blank(body));
}
