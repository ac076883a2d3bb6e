import { endOfComment, maskQuoted } from './tokens.ts';

/** One SQL statement of a migration. */
export interface Statement {
  /** Relative to the checkout. */
  readonly file: string;
  /** The line that it begins in, from 1. */
  readonly line: number;
  /** Without comments and without the semicolon; white space outside of literals is one blank. */
  readonly text: string;
  /** As it stands in the file: between two literals a line end is more than a blank. */
  readonly sql: string;
  /** The object of the finding, as a suppression names it: `create index todos_title_idx`. */
  readonly object: string;
  /** Whether graphile-migrate runs it inside of a transaction: not so behind `--! no-transaction`. */
  readonly inTransaction: boolean;
}

// In this order: what begins a literal or a comment, then what is as it stands.
const tokens =
  /--[^\n]*|\/\*|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\s+|;|[^;]/g;

/** Parts a migration into its statements; knows literals, nested comments, dollar quotes and `begin atomic … end`. */
export function splitStatements(file: string, sql: string): Statement[] {
  const statements: Statement[] = [];
  const inTransaction = !/^--! ?no-transaction\s*$/m.test(sql);
  let text = '';
  let begins = 0;
  // How deep in `begin atomic … end`, where semicolons end nothing; `case … end` nests.
  let depth = 0;
  const finish = (end: number) => {
    const whole = text.trim();
    if (whole) {
      const line = sql.slice(0, begins).split('\n').length;
      statements.push({
        file,
        line,
        text: whole,
        sql: sql.slice(begins, end),
        object: nameStatement(whole),
        inTransaction,
      });
    }
    text = '';
    depth = 0;
  };
  const scanner = new RegExp(tokens);
  for (let match = scanner.exec(sql); match; match = scanner.exec(sql)) {
    let [token] = match;
    if (token.startsWith('--') || /^\s/.test(token)) token = ' ';
    else if (token === '/*') {
      scanner.lastIndex = endOfComment(sql, scanner.lastIndex);
      token = ' ';
    } else if (/^\$.*\$$/.test(token)) {
      const end = sql.indexOf(token, scanner.lastIndex);
      scanner.lastIndex = end < 0 ? sql.length : end + token.length;
      token = sql.slice(match.index, scanner.lastIndex);
    }
    if (token === ';' && depth === 0) {
      finish(match.index);
      continue;
    }
    if (!text.trim()) begins = match.index;
    if (/^atomic$/i.test(token) && /\bbegin $/i.test(text)) depth = 1;
    else if (depth > 0 && /^case$/i.test(token)) depth += 1;
    else if (depth > 0 && /^end$/i.test(token)) depth -= 1;
    text += token === ' ' && text.endsWith(' ') ? '' : token;
  }
  finish(sql.length);
  return statements;
}

const identifier = '(?:"(?:[^"]|"")*"|[\\w$\\u0080-\\uffff]+)';
const named = new RegExp(
  `^(create|alter|drop)(?: or replace)?(?: (?:unique|unlogged|materialized|constraint|recursive|concurrently|if not exists|if exists|only))*` +
    ` (\\w+)(?: (?:mapping|search configuration|data wrapper))?(?: (?:concurrently|if not exists|if exists|only))*` +
    ` (${identifier}(?:\\.${identifier})?)(?: (?:.*? )?on (?:only )?(${identifier}(?:\\.${identifier})?))?`,
  'is',
);

const unnamedIndex = new RegExp(
  `^create (?:unique )?index (?:concurrently )?on (?:only )?(${identifier}(?:\\.${identifier})?)`,
  'i',
);

function nameStatement(sql: string): string {
  // A name such as "based on membership" has words in it that are no keywords.
  const { text, restore } = maskQuoted(sql);
  const [, indexed] = unnamedIndex.exec(text) ?? [];
  if (indexed) return restore(`create index on ${indexed}`);
  const match = named.exec(text);
  if (!match) return sql.length > 60 ? `${sql.slice(0, 60).trimEnd()}…` : sql;
  const [, verb, kind, name, table] = match as unknown as [string, string, string, string, string?];
  const object = `${verb} ${kind}`.toLowerCase();
  return restore(
    /^(policy|trigger|rule)$/i.test(kind) && table ? `${object} ${name} on ${table}` : `${object} ${name}`,
  );
}
