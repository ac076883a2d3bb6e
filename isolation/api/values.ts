import { randomInt, randomUUID } from 'node:crypto';
import { parseJson } from '../../common/parseJson.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const uuids = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
const times = /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?/g;
const date = /^\d{4}-\d\d-\d\d/;
const wholeNumber = /^-?\d+$/;

/** Types for which a different valid value can be derived from any value. */
const changeable = new Set(['String', 'Int', 'BigInt', 'Float', 'BigFloat', 'Date', 'Datetime', '']);

/** Decodes a node id or a cursor, which is a JSON array in base64; `undefined` for other texts. */
export function decode(text: string): unknown[] | undefined {
  if (text.length < 4 || !/^[A-Za-z0-9+/_-]+=*$/.test(text)) return undefined;
  const decoded = parseJson(Buffer.from(text, 'base64').toString('utf8'));
  return Array.isArray(decoded) ? decoded : undefined;
}

export function encode(parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64');
}

/**
 * Derives a value that no tenant has and that has the form of `value`: a UUID for a UUID, a text with the same beginning,
 * or a node id of the same type. Values of small types, such as booleans and enums, stay unchanged.
 *
 * @param usedValues values of the tenants, as JSON.
 * @param samples preferred values, which are valid and occur in no row.
 */
export function unusedValue(
  value: unknown,
  type: string,
  usedValues: ReadonlySet<string>,
  samples: readonly unknown[] = [],
): unknown {
  if (Array.isArray(value)) return value.map((item) => unusedValue(item, type, usedValues, samples));
  if (typeof value === 'string' && uuid.test(value)) return randomUUID();
  const parts = typeof value === 'string' && (type === 'ID' || type === 'Cursor') ? decode(value) : undefined;
  // The first part is the type of a node id, or the order of a cursor.
  if (parts) return encode(parts.map((part, index) => (index === 0 ? part : unusedValue(part, '', usedValues))));
  const given = samples.find((sample) => sample !== null && !usedValues.has(JSON.stringify(sample)));
  if (given !== undefined) return given;
  if (!changeable.has(type)) return value;
  for (let attempt = 0; attempt < 50; attempt++) {
    const other = changeValue(value, attempt);
    if (other === value || !usedValues.has(JSON.stringify(other))) return other;
  }
  return value;
}

function changeValue(value: unknown, attempt: number): unknown {
  if (typeof value === 'number') return value + 17 + attempt * 7;
  if (typeof value !== 'string' || value.length < 2) return value;
  if (wholeNumber.test(value)) return String(BigInt(value) + BigInt(17 + attempt * 7));
  if (date.test(value)) {
    const day = new Date(Date.parse(`${value.slice(0, 10)}T00:00:00Z`) + (attempt + 1) * 86_400_000);
    return day.toISOString().slice(0, 10) + value.slice(10);
  }
  return changeEnd(value);
}

/** Replaces the last eight letters and digits by random ones. The beginning stays, because a check may require it. */
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

/** A value in a request, with the name of its argument. */
export interface Sent {
  readonly name: string;
  readonly value: unknown;
}

/**
 * Replaces the parts of an answer that differ between equivalent requests: sent values, new ids, and times. It recognizes
 * a sent value by its field's name, or anywhere if the value is longer than five characters.
 *
 * @param own the actor's own values. They are not replaced.
 */
export function normalize(body: unknown, sent: readonly Sent[], own: ReadonlySet<string>): unknown {
  const long = sent.flatMap(({ value }, index) =>
    typeof value === 'string' && value.length > 5 ? [[value, `‹${index}›`] as const] : [],
  );
  const visit = (value: unknown, key?: string): unknown => {
    // A position in the document depends on the length of literals.
    if (key === 'locations') return undefined;
    const known = sent.findIndex((one) => one.name === key && JSON.stringify(one.value) === JSON.stringify(value));
    if (known >= 0) return `‹${known}›`;
    // The key of a new row may be random or come from a sequence.
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

/** Whether it is unlikely that two tenants have this value by chance. */
export function isDistinctive(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 8 && !date.test(value);
}
