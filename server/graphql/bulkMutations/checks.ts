import { SafeError } from 'postgraphile/grafast';
import type { Update } from './statements.ts';
import type { Table } from './table.ts';

/** The maximum number of rows in one mutation. */
const limit = 1000;

/** @throws SafeError when `name` has more than 1,000 items. */
export function checkCount(name: string, { length }: readonly unknown[]): void {
  if (length > limit) throw new SafeError(`${name} must have at most ${limit} items, not ${length}.`);
}

/** @throws SafeError with the index of the first repeated key. */
export function checkKeys(table: Table, name: string, keys: readonly unknown[]): void {
  const seen = new Set<string>();
  for (const [index, key] of keys.entries()) {
    const text = table.keyText(key);
    if (seen.has(text)) throw new SafeError(`${name} must name each row once.`, { index });
    seen.add(text);
  }
}

/** @throws SafeError with the index of the first empty patch. */
export function checkPatches(name: string, updates: readonly Update[]): void {
  const index = updates.findIndex(({ patch }) => Object.keys(patch).length === 0);
  if (index >= 0) throw new SafeError(`${name} must change at least one field each.`, { index });
}
