import { isExactNumber } from '../types/exactJson.ts';

/** The minimum size of a piece of JSON in characters. The last piece may be smaller. */
const pieceSize = 64_000;

/** Tells whether a value's JSON has at most `pieceSize` characters. It ignores escapes. */
export function isSmall(value: unknown): boolean {
  return leftOf(value, pieceSize) >= 0;
}

/** Returns the rest of `room` after a value's JSON, in characters; negative if the JSON does not fit. */
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

/** Writes a value's JSON in pieces. Together they equal the output of `JSON.stringify`. */
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
    // The result is undefined only for undefined, which a JSON list writes as null.
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
