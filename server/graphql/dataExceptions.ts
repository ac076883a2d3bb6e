import type pg from 'pg';

/** A statement and the values that it was sent with. */
export interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** SQLSTATEs of computations: what a client sends has a form, or is too long, and is divided by nothing. */
const ofComputation = new Set(['22004', '22011', '22012', '22014', '22016', '2201E', '2201F', '2201G']);

/** Text of a message that quotes a value: `invalid input syntax for type uuid: "x"`. */
const quoted = /(?:: |\bvalue )"(.*)"(?: is out of range.*)?$/s;

/**
 * Whether a data exception (class 22) was raised by what the client did not send: a policy, a trigger, a default. Postgres
 * gives both the same SQLSTATE. Its context names the functions that were running, and its message often quotes the value.
 *
 * - The value of a parameter, and an argument of a function that the document calls, is the client's.
 * - A value that is quoted and was not sent is not.
 * - A function that the statement calls without a value, or not at all, was given nothing of the client's.
 * - A computation that fails outside of functions is one of a policy, unless rows are written (it can be one of a check or a
 *   generated column) or the statement calls a function with a value.
 */
export function isOwnFault(error: pg.DatabaseError, sent: SentStatement | undefined): boolean {
  const { code = '', message, where = '' } = error;
  if (!code.startsWith('22') || !sent || /\bportal parameter\b/.test(where)) return false;
  const value = quoted.exec(message)?.[1];
  if (value !== undefined) return !wasSent(value, sent.values);
  const outermost = [...where.matchAll(/function "?([^\s("]+)"?/g)].at(-1)?.[1];
  if (sent.values.length === 0) return true;
  if (outermost !== undefined) return !argumentsOf(sent.text, outermost.replace(/^.*\./, '')).some(hasValue);
  return ofComputation.has(code) && !mayCompute(sent.text);
}

/** Whether the statement writes rows, or calls a function with a value: its context is missing once Postgres has inlined it. */
function mayCompute(text: string): boolean {
  return /\b(insert into|update)\s/i.test(text) || argumentsOf(text).some(hasValue);
}

/** The arguments of each call of a function in a schema, as text; of those called `name` if one is given. */
function argumentsOf(text: string, name?: string): string[] {
  return [...text.matchAll(/(?:"((?:[^"]|"")+)"|\b(\w+))\(/g)].flatMap(
    ({ 0: call, 1: quotedName, 2: plain, index }) => {
      const called = quotedName?.replaceAll('""', '"') ?? plain;
      const isMeant = name === undefined ? text.slice(0, index).endsWith('.') : called === name;
      return isMeant ? [insideParentheses(text, index + call.length)] : [];
    },
  );
}

/** The text from `start` up to the parenthesis that closes it. */
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
  // An empty text is part of every other one.
  if (value === '') return texts.some((text) => text === '' || text.includes('""'));
  const escaped = JSON.stringify(value).slice(1, -1);
  return texts.some((text) => text.includes(value) || text.includes(escaped));
}
