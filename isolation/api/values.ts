import { randomInt, randomUUID } from 'node:crypto';
import { parseJson } from '../../common/parseJson.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const uuids = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
const times = /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?/g;
const date = /^\d{4}-\d\d-\d\d/;
const wholeNumber = /^-?\d+$/;

/** Types of which another value can be made of any. */
const changeable = new Set(['String', 'Int', 'BigInt', 'Float', 'BigFloat', 'Date', 'Datetime', '']);

/** What stands in a node id or a cursor: base64 of a JSON array. */
export function decode(text: string): unknown[] | undefined {
  if (text.length < 4 || !/^[A-Za-z0-9+/_-]+=*$/.test(text)) return undefined;
  const decoded = parseJson(Buffer.from(text, 'base64').toString('utf8'));
  return Array.isArray(decoded) ? decoded : undefined;
}

export function encode(parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64');
}

/**
 * A value of nobody's in place of a member's, of the same form: a UUID for a UUID, a text with the same beginning, a
 * node id of the same type. What has too few values to be anybody's own, such as a boolean or an enum, stays as it is.
 *
 * @param taken values that somebody has, as JSON.
 * @param sampleRows preferred values: valid ones that no row has.
 */
export function nobodys(
  value: unknown,
  type: string,
  taken: ReadonlySet<string>,
  sampleRows: readonly unknown[] = [],
): unknown {
  if (Array.isArray(value)) return value.map((item) => nobodys(item, type, taken, sampleRows));
  if (typeof value === 'string' && uuid.test(value)) return randomUUID();
  const parts = typeof value === 'string' && (type === 'ID' || type === 'Cursor') ? decode(value) : undefined;
  // The first says which type, or which order.
  if (parts) return encode(parts.map((part, index) => (index === 0 ? part : nobodys(part, '', taken))));
  const given = sampleRows.find((donation) => donation !== null && !taken.has(JSON.stringify(donation)));
  if (given !== undefined) return given;
  if (!changeable.has(type)) return value;
  for (let attempt = 0; attempt < 50; attempt++) {
    const other = changed(value, attempt);
    if (other === value || !taken.has(JSON.stringify(other))) return other;
  }
  return value;
}

function changed(value: unknown, attempt: number): unknown {
  if (typeof value === 'number') return value + 17 + attempt * 7;
  if (typeof value !== 'string' || value.length < 2) return value;
  if (wholeNumber.test(value)) return String(BigInt(value) + BigInt(17 + attempt * 7));
  if (date.test(value)) {
    const day = new Date(Date.parse(`${value.slice(0, 10)}T00:00:00Z`) + (attempt + 1) * 86_400_000);
    return day.toISOString().slice(0, 10) + value.slice(10);
  }
  return changeEnd(value);
}

/** The last letters and digits become others of their kind: what a check asks for in front of them stays. */
function changeEnd(text: string): string {
  let left = 8;
  return [...text]
    .reverse()
    .map((letter) => {
      const alphabet = /[a-z]/.test(letter)
        ? 'abcdefghijklmnopqrstuvwxyz'
        : /[A-Z]/.test(letter)
          ? 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
          : /\d/.test(letter)
            ? '0123456789'
            : '';
      if (alphabet === '' || left === 0) return letter;
      left--;
      return alphabet[randomInt(alphabet.length)];
    })
    .reverse()
    .join('');
}

/** A value that was sent, and the name of the argument that it was sent as. */
export interface Sent {
  readonly name: string;
  readonly value: unknown;
}

/**
 * The answer without what differs from one request to the next though it says the same: the values that were sent, new
 * ids, and times. A value is known by its field's name, or wherever it is long enough to be nothing else.
 *
 * @param own ids that stay as they are: the member's own.
 */
export function normalize(body: unknown, sent: readonly Sent[], own: ReadonlySet<string>): unknown {
  const long = sent.flatMap(({ value }, index) =>
    typeof value === 'string' && value.length > 5 ? [[value, `‹${index}›`] as const] : [],
  );
  const visit = (value: unknown, key?: string): unknown => {
    // Where in the document something stands: a literal of another length moves it.
    if (key === 'locations') return undefined;
    const known = sent.findIndex((one) => one.name === key && JSON.stringify(one.value) === JSON.stringify(value));
    if (known >= 0) return `‹${known}›`;
    // New, and counted where it is a number.
    if (key === 'rowId') return keyPart(value);
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value)) return value.map((item) => visit(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, visit(item, name)]));
  };
  const keyPart = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(keyPart);
    const given = sent.findIndex((one) => String(one.value) === String(value));
    if (given >= 0) return `‹${given}›`;
    return own.has(String(value)) ? value : '‹id›';
  };
  const text = (value: string): unknown => {
    if (own.has(value)) return value;
    const given = long.find(([from]) => from === value);
    if (given) return given[1];
    const parts = decode(value);
    if (parts) return parts.map((part, index) => (index === 0 ? part : keyPart(part)));
    const replaced = long.reduce((changing, [from, to]) => changing.replaceAll(from, to), value);
    return replaced.replaceAll(uuids, (id) => (own.has(id) ? id : '‹id›')).replaceAll(times, '‹time›');
  };
  return visit(body);
}

/** Whether nobody else has a value like it by chance. */
export function isDistinctive(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 8 && !date.test(value);
}
