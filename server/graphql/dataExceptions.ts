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
 * - A function that the statement does not call was called by a policy, a trigger or a default.
 * - A computation that fails outside of functions is one of a policy, unless rows are written (it can be one of a check or a
 *   generated column) or the document calls a function.
 */
export function isOwnFault(error: pg.DatabaseError, sent: SentStatement | undefined): boolean {
  const { code = '', message, where = '' } = error;
  if (!code.startsWith('22') || !sent || /\bportal parameter\b/.test(where)) return false;
  const value = quoted.exec(message)?.[1];
  if (value !== undefined) return !wasSent(value, sent.values);
  const outermost = [...where.matchAll(/function "?([^\s("]+)"?/g)].at(-1)?.[1];
  if (outermost !== undefined) return !calls(sent.text, outermost);
  if (sent.values.length === 0) return !mayCompute.test(sent.text);
  return ofComputation.has(code) && !mayCompute.test(sent.text);
}

/** A statement that writes rows, or calls a function, whose context is missing once Postgres has inlined it. */
const mayCompute = /\b(insert into|update)\s|"\."(?:[^"]|"")+"\(/i;

function calls(text: string, called: string): boolean {
  const name = called.replace(/^.*\./, '');
  return text.includes(`"${name}"(`) || text.includes(`${name}(`);
}

function wasSent(value: string, values: readonly unknown[]): boolean {
  const texts = values.map((one) => (typeof one === 'string' ? one : (JSON.stringify(one) ?? '')));
  // An empty text is part of every other one.
  if (value === '') return texts.some((text) => text === '' || text.includes('""'));
  const escaped = JSON.stringify(value).slice(1, -1);
  return texts.some((text) => text.includes(value) || text.includes(escaped));
}
