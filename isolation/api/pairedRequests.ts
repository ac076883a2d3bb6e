import { type AttackContext, isOnlyA } from './attackContext.ts';
import { parentValues } from './parents.ts';
import type { Row } from './rows.ts';
import type { Filling, Slot } from './slots.ts';
import { nobodys, type Sent } from './values.ts';

/** The same arguments with values of nobody's in place of A's, and which of them stand for which. */
export class PairedRequests {
  readonly #world: AttackContext;
  readonly #type: string | undefined;
  readonly #known = new Map<string, unknown>();
  /** What of A's was replaced, and by what, in the same order. */
  readonly sent: Sent[] = [];
  readonly returned: Sent[] = [];

  constructor(world: AttackContext, type: string | undefined) {
    this.#world = world;
    this.#type = type;
  }

  of(filling: Filling): Filling {
    return new Map(
      [...filling].map(([slot, value]) => [
        slot,
        this.#names(slot) ? this.value(value, slot) : this.#described(value, slot),
      ]),
    );
  }

  #names(slot: Slot): boolean {
    return namesRow(this.#world, this.#type, slot);
  }

  /** A check may hold for few values: what describes a row is only replaced by what was a row's. */
  #described(value: unknown, slot: Slot): unknown {
    const { taken, sampleRows } = this.#world;
    const given = ((this.#type && sampleRows.get(this.#type)) || []).map((row) => row[slot.name]);
    return given.some((one) => one !== undefined && one !== null && !taken.has(JSON.stringify(one)))
      ? this.value(value, slot)
      : value;
  }

  value(value: unknown, slot: Slot): unknown {
    if (Array.isArray(value)) return value.map((item) => this.value(item, slot));
    const { taken, sampleRows } = this.#world;
    const key = JSON.stringify(value);
    if (!isOnlyA(this.#world, slot.name, value)) return value;
    if (!this.#known.has(key)) {
      const rows = (this.#type && sampleRows.get(this.#type)) || [];
      const given = rows.flatMap((row) => row[slot.name] ?? []);
      // A row that is meant must be nobody's: no spare one's either, for that may be about to be made.
      const other = this.#names(slot)
        ? nobodys(value, slot.type, new Set([...taken, ...given.map((one) => JSON.stringify(one)), ...keysOf(rows)]))
        : nobodys(value, slot.type, taken, given);
      this.#known.set(key, other);
      this.sent.push({ name: slot.name, value });
      this.returned.push({ name: slot.name, value: other });
    }
    return this.#known.get(key);
  }
}

/** Whether the slot says which row is meant, or refers to another, rather than what a row is like. */
export function namesRow(
  { api, ofA }: AttackContext,
  type: string | undefined,
  { inner, name, type: scalar }: Slot,
): boolean {
  const entity = type === undefined ? undefined : api.rows.get(type);
  if (!inner || scalar === 'UUID' || scalar === 'ID') return true;
  return entity !== undefined && parentValues(api, entity, ofA, 0)(name) !== undefined;
}

const keysOf = (rows: readonly Row[]) => rows.map(({ rowId }) => JSON.stringify(rowId));
