import type { Holdings, Row } from '../api/rows.ts';
import { decode, isDistinctive } from '../api/values.ts';

/** Whose each value is: what two have is nobody's. */
export class Owners {
  readonly #common: ReadonlySet<unknown>;
  readonly #owners = new Map<string, { owner: string; type: string } | null>();

  /** @param common values that several tenants are given. */
  constructor(common: ReadonlySet<unknown>) {
    this.#common = common;
  }

  note(owner: string, type: string, row: Row): void {
    for (const value of Object.values(row)) {
      if (!isDistinctive(value) || this.#common.has(value)) continue;
      const before = this.#owners.get(value);
      this.#owners.set(value, before === undefined || before?.owner === owner ? { owner, type } : null);
    }
  }

  /** What stands in `text` and is another's than `asking`'s, unless it was sent. */
  foreignIn(text: string, asking: string | undefined, sent: string): { what: string; type: string } | undefined {
    for (const [word] of text.matchAll(/"((?:[^"\\]|\\.)*)"/g)) {
      const value = word.slice(1, -1);
      const { owner, type } = this.#owners.get(value) ?? {};
      if (owner && type && owner !== asking && !isSent(value, sent)) {
        return { what: `${value}, in a ${type} of ${owner}’s`, type };
      }
    }
    return undefined;
  }
}

/** Two tenants may choose the same key, and a node id says no more than the key in it. */
function isSent(value: string, sent: string): boolean {
  const [, ...key] = decode(value) ?? [];
  return sent.includes(value) || (key.length > 0 && key.every((part) => sent.includes(String(part))));
}

/** What one tenant must find: rows by type and key. */
export class Model {
  readonly #rows = new Map<string, Map<string, Row>>();
  /** Something was cut off, or rows went with others: what is there now is asked. */
  uncertain = false;
  /** A request is still under way although its client has gone: what it does may be seen at any time. */
  unsettled = false;

  constructor({ rows }: Holdings) {
    for (const [type, found] of rows) this.#rows.set(type, new Map(found.map((row) => [keyOf(row), row])));
  }

  rows(type: string): Row[] {
    return [...(this.#rows.get(type)?.values() ?? [])];
  }

  has(type: string, row: Row): boolean {
    return this.#rows.get(type)?.has(keyOf(row)) ?? false;
  }

  put(type: string, row: Row): void {
    const rows = this.#rows.get(type) ?? new Map<string, Row>();
    this.#rows.set(type, rows.set(keyOf(row), row));
  }

  /** What is wrong with `found` as all rows of the type, or as some of them. */
  complaintAbout(type: string, found: readonly Row[], all: boolean): string | undefined {
    const known = this.#rows.get(type) ?? new Map<string, Row>();
    const keys = new Set(found.map(keyOf));
    if (keys.size < found.length) return `a row of ${type} is there twice`;
    for (const row of found) {
      const expected = known.get(keyOf(row));
      if (!expected) return `${JSON.stringify(row)} is there and was never made, or is deleted`;
      if (JSON.stringify(expected) !== JSON.stringify(row))
        return `${JSON.stringify(row)} should be ${JSON.stringify(expected)}`;
    }
    const lost = all && [...known].find(([key]) => !keys.has(key));
    return lost ? `${JSON.stringify(lost[1])} is missing` : undefined;
  }
}

/** What a row is known by in the API. */
export function keyOf(row: Row): string {
  return String(row.id ?? row.rowId ?? JSON.stringify(row));
}
