import { isExactNumber } from '../types/exactJson.ts';

/** Characters that a piece of JSON has at the most, unless a single text is longer. */
const pieceSize = 64_000;

/** Whether a value's JSON has at most `pieceSize` characters, escapes left aside. */
export function isSmall(value: unknown): boolean {
  return leftOf(value, pieceSize) >= 0;
}

/** Remaining characters of `room` after a value's JSON; negative if it does not fit. */
function leftOf(value: unknown, room: number): number {
  if (typeof value === 'string') return room - value.length - 3;
  if (typeof value !== 'object' || value === null) return room - 6;
  let left = room - 3;
  if (Array.isArray(value)) {
    for (const item of value) {
      left = leftOf(item, left);
      if (left < 0) break;
    }
    return left;
  }
  for (const key in value) {
    left = leftOf((value as Record<string, unknown>)[key], left - key.length - 3);
    if (left < 0) break;
  }
  return left;
}

/** A value's JSON as `JSON.stringify` writes it, in pieces. */
export function* jsonPieces(value: unknown): Generator<string, void> {
  let piece = '';
  for (const part of partsOf(value)) {
    piece += part;
    if (piece.length < pieceSize) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

function* partsOf(value: unknown): Generator<string, void> {
  if (typeof value !== 'object' || value === null || 'toJSON' in value || isExactNumber(value) || isSmall(value)) {
    // Undefined only where the value is, which a list has as null.
    yield JSON.stringify(value) ?? 'null';
  } else if (Array.isArray(value)) {
    let before = '[';
    for (const item of value) {
      yield before;
      yield* partsOf(item);
      before = ',';
    }
    yield before === '[' ? '[]' : ']';
  } else {
    let before = '{';
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined || typeof item === 'function') continue;
      yield `${before}${JSON.stringify(key)}:`;
      yield* partsOf(item);
      before = ',';
    }
    yield before === '{' ? '{}' : '}';
  }
}
