import { endOfComment, maskQuoted } from './tokens.ts';

/** One SQL statement of a migration. */
export interface Statement {
  /** Relative to the checkout. */
  readonly file: string;
  /** The line of its first token, counted from 1. */
  readonly line: number;
  /** The SQL without comments and semicolon. Whitespace outside literals is one space. */
  readonly text: string;
  /** The SQL as written. A line break between two literals joins them, so it differs from a space. */
  readonly sql: string;
  /** The object of findings, as suppressions name it: `create index todos_title_idx`. */
  readonly object: string;
  /** Whether graphile-migrate runs it in a transaction. It does not if the file has `--! no-transaction`. */
  readonly inTransaction: boolean;
}

// The order matters: first the starts of comments and literals, then all other tokens.
const tokens =
  /--[^\n]*|\/\*|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\s+|;|[^;]/g;

/** Splits a migration into statements. Handles literals, nested comments, dollar quotes and `begin atomic … end`. */
export function splitStatements(file: string, sql: string): Statement[] {
  const statements: Statement[] = [];
  const inTransaction = !/^--! ?no-transaction\s*$/m.test(sql);
  let text = '';
  let begins = 0;
  // The nesting depth in `begin atomic … end`, where a semicolon does not end the statement. `case … end` nests too.
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
  // A quoted name such as "based on membership" contains words that are not keywords.
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
