import type pg from 'pg';

/** A statement with its bound values. */
export interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** SQLSTATEs that only computations cause. A value of the client itself can only be malformed, too long or out of range. */
const computationStates = new Set(['22004', '22011', '22012', '22014', '22016', '2201E', '2201F', '2201G']);

/** The end of a message that quotes a value: `invalid input syntax for type uuid: "x"`. */
const quoted = /(?:: |\bvalue )"(.*)"(?: is out of range.*)?$/s;

/**
 * Tells whether the server's own SQL, such as a policy, trigger or default, caused a data exception (class 22), and not a
 * value of the client. Postgres uses the same SQLSTATE for both. Its context names the running functions, and its message
 * often quotes the value.
 *
 * - Parameter values, and arguments of functions that the document calls, come from the client.
 * - A quoted value that was not sent does not come from the client.
 * - A function that the statement calls without a value, or not at all, has no input from the client.
 * - A computation that fails outside of functions belongs to a policy. There are two exceptions: the statement writes rows,
 *   whose checks and generated columns compute too, or it calls a function with a value.
 */
export function isServerFault(error: pg.DatabaseError, sent: SentStatement | undefined): boolean {
  const { code = '', message, where = '' } = error;
  if (!code.startsWith('22') || !sent || /\bportal parameter\b/.test(where)) return false;
  const value = quoted.exec(message)?.[1];
  if (value !== undefined) return !wasSent(value, sent.values);
  const outermost = [...where.matchAll(/function "?([^\s("]+)"?/g)].at(-1)?.[1];
  if (sent.values.length === 0) return true;
  if (outermost !== undefined) return !argumentsOf(sent.text, outermost.replace(/^.*\./, '')).some(hasValue);
  return computationStates.has(code) && !mayCompute(sent.text);
}

/**
 * Tells whether the statement writes rows, or calls a function with a value. Postgres may have inlined the function, and
 * then the context does not name it.
 */
function mayCompute(text: string): boolean {
  return /\b(insert into|update)\s/i.test(text) || argumentsOf(text).some(hasValue);
}

/** Returns the arguments of each call of a schema-qualified function, or of the functions called `name`, as text. */
function argumentsOf(text: string, name?: string): string[] {
  return [...text.matchAll(/(?:"((?:[^"]|"")+)"|\b(\w+))\(/g)].flatMap(
    ({ 0: call, 1: quotedName, 2: plain, index }) => {
      const called = quotedName?.replaceAll('""', '"') ?? plain;
      const isMeant = name === undefined ? text.slice(0, index).endsWith('.') : called === name;
      return isMeant ? [insideParentheses(text, index + call.length)] : [];
    },
  );
}

/** Returns the text from `start` to the matching closing parenthesis. */
function insideParentheses(text: string, start: number): string {
  let depth = 1;
  let end = start;
  for (; end < text.length && depth > 0; end++) depth += text[end] === '(' ? 1 : text[end] === ')' ? -1 : 0;
  return text.slice(start, end);
}

function hasValue(text: string): boolean {
  return /\$\d/.test(text);
}

function wasSent(value: string, values: readonly unknown[]): boolean {
  const texts = values.map((one) => (typeof one === 'string' ? one : (JSON.stringify(one) ?? '')));
  // Every text includes the empty text, so only an exact match counts.
  if (value === '') return texts.some((text) => text === '' || text.includes('""'));
  const escaped = JSON.stringify(value).slice(1, -1);
  return texts.some((text) => text.includes(value) || text.includes(escaped));
}
