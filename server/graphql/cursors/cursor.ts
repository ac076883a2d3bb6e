import { SafeError } from 'postgraphile/grafast';
import type { Side } from './condition.ts';

/** A cursor in PostGraphile's format: the digest of its order, then the row's values in that order. */
export type Cursor = readonly [digest: string, ...values: readonly unknown[]];

/**
 * Decodes a cursor; `undefined` if the argument is missing.
 *
 * @throws SafeError when the cursor is invalid.
 */
export function readCursor(text: unknown): Cursor | undefined {
  if (text == null) return undefined;
  const cursor = parse(text);
  if (!cursor) throw new SafeError('Invalid cursor, please enter a cursor from a previous request, or null.');
  return cursor;
}

/** Tells whether a cursor is natural: the number of a row, for unordered rows. PostGraphile converts it to an offset. */
export function isNatural(text: unknown): boolean {
  return parse(text)?.[0] === 'natural';
}

/** @throws SafeError when the cursor belongs to another order than the one with this digest. */
export function checkCursor([given, ...values]: Cursor, digest: string, count: number, side: Side): void {
  if (given !== digest || values.length !== count) {
    throw new SafeError(
      `Invalid '${side}' cursor - a cursor is only valid within a specific ordering, if you change the order then you'll need different cursors.`,
    );
  }
}

function parse(text: unknown): Cursor | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const cursor: unknown = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    if (!Array.isArray(cursor) || typeof cursor[0] !== 'string' || !cursor.slice(1).every(isScalar)) return undefined;
    return cursor as unknown as Cursor;
  } catch {
    return undefined;
  }
}

function isScalar(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}
