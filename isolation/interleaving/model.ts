import type { Holdings, Row } from '../api/rows.ts';
import { decode, isDistinctive } from '../api/values.ts';

/** Maps each distinctive value to the only tenant that has it. Values of several tenants have no owner. */
export class ValueOwners {
  readonly #common: ReadonlySet<unknown>;
  readonly #owners = new Map<string, { owner: string; type: string } | null>();

  /** @param common values that several tenants receive. */
  constructor(common: ReadonlySet<unknown>) {
    this.#common = common;
  }

  /** Records the values of a tenant's row. */
  record(owner: string, type: string, row: Row): void {
    for (const value of Object.values(row)) {
      if (!isDistinctive(value) || this.#common.has(value)) continue;
      const before = this.#owners.get(value);
      this.#owners.set(value, before === undefined || before?.owner === owner ? { owner, type } : null);
    }
  }

  /**
   * Finds a value of another tenant in an answer.
   *
   * @param reader the tenant that received the answer; undefined if it is unauthenticated.
   * @param sent the request. Values that the client sent itself are not foreign.
   */
  foreignIn(text: string, reader: string | undefined, sent: string): { what: string; type: string } | undefined {
    for (const [quoted] of text.matchAll(/"((?:[^"\\]|\\.)*)"/g)) {
      const value = quoted.slice(1, -1);
      const { owner, type } = this.#owners.get(value) ?? {};
      if (owner && type && owner !== reader && !isSent(value, sent)) {
        return { what: `${value}, in a ${type} of ${owner}`, type };
      }
    }
    return undefined;
  }
}

/** Whether the request contains a value, or the key within a node id. Two tenants may choose the same key. */
function isSent(value: string, sent: string): boolean {
  const [, ...key] = decode(value) ?? [];
  return sent.includes(value) || (key.length > 0 && key.every((part) => sent.includes(String(part))));
}

/**
 * The rows that one tenant must find, by type and key. Its states are:
 *
 * - certain: the rows match the database.
 * - uncertain: a write runs, was cut off, or may have changed further rows. Before its next step, the tenant reads all
 *   rows again, which creates a new model that is certain.
 * - unsettled: the client closed the connection during a write, which the server may still run. The effect may appear at
 *   any time, so this model and all later ones stay uncertain.
 */
export class Model {
  readonly #rows = new Map<string, Map<string, Row>>();
  uncertain = false;
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

  /**
   * Describes the first difference between the rows of an answer and the model.
   *
   * @param isAll whether the answer must contain all rows of the type.
   */
  differenceFrom(type: string, found: readonly Row[], isAll: boolean): string | undefined {
    const known = this.#rows.get(type) ?? new Map<string, Row>();
    const keys = new Set(found.map(keyOf));
    if (keys.size < found.length) return `a row of ${type} appears twice`;
    for (const row of found) {
      const expected = known.get(keyOf(row));
      if (!expected) return `${JSON.stringify(row)} exists, but it was never created or it was deleted`;
      if (JSON.stringify(expected) !== JSON.stringify(row))
        return `${JSON.stringify(row)} should be ${JSON.stringify(expected)}`;
    }
    const lost = isAll && [...known].find(([key]) => !keys.has(key));
    return lost ? `${JSON.stringify(lost[1])} is missing` : undefined;
  }
}

/** The key that identifies a row in the API; the whole row if it has no key. */
export function keyOf(row: Row): string {
  return String(row.id ?? row.rowId ?? JSON.stringify(row));
}
