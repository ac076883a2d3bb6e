import { type AttackContext, isOnlyA } from './attackContext.ts';
import { parentValues } from './parents.ts';
import type { Row } from './rows.ts';
import type { ArgumentValues, Slot } from './slots.ts';
import { type Sent, unusedValue } from './values.ts';

/**
 * Replaces A's values in arguments by values that no tenant has, for a metamorphic test of non-interference.
 *
 * It holds all replacements so far. A value that occurs again gets the same replacement.
 */
export class PairedRequests {
  readonly #context: AttackContext;
  readonly #type: string | undefined;
  readonly #byValue = new Map<string, unknown>();
  /** A's replaced values. */
  readonly sent: Sent[] = [];
  /** Their replacements, in the same order. */
  readonly replacements: Sent[] = [];

  constructor(context: AttackContext, type: string | undefined) {
    this.#context = context;
    this.#type = type;
  }

  /** Replaces all of A's values in the arguments. */
  of(values: ArgumentValues): ArgumentValues {
    return new Map(
      [...values].map(([slot, value]) => [
        slot,
        this.#names(slot) ? this.value(value, slot) : this.#describingValue(value, slot),
      ]),
    );
  }

  #names(slot: Slot): boolean {
    return namesRow(this.#context, this.#type, slot);
  }

  /** A check may accept only a few values. A describing value is therefore replaced only by a sample row's value. */
  #describingValue(value: unknown, slot: Slot): unknown {
    const { usedValues, sampleRows } = this.#context;
    const given = ((this.#type && sampleRows.get(this.#type)) || []).map((row) => row[slot.name]);
    return given.some((one) => one !== undefined && one !== null && !usedValues.has(JSON.stringify(one)))
      ? this.value(value, slot)
      : value;
  }

  /** Replaces one value if only A has it; otherwise returns it unchanged. */
  value(value: unknown, slot: Slot): unknown {
    if (Array.isArray(value)) return value.map((item) => this.value(item, slot));
    const { usedValues, sampleRows } = this.#context;
    const key = JSON.stringify(value);
    if (!isOnlyA(this.#context, slot.name, value)) return value;
    if (!this.#byValue.has(key)) {
      const rows = (this.#type && sampleRows.get(this.#type)) || [];
      const given = rows.flatMap((row) => row[slot.name] ?? []);
      // A value that identifies a row must not be a sample row's either, because that row may be inserted later.
      const other = this.#names(slot)
        ? unusedValue(
            value,
            slot.type,
            new Set([...usedValues, ...given.map((one) => JSON.stringify(one)), ...keysOf(rows)]),
          )
        : unusedValue(value, slot.type, usedValues, given);
      this.#byValue.set(key, other);
      this.sent.push({ name: slot.name, value });
      this.replacements.push({ name: slot.name, value: other });
    }
    return this.#byValue.get(key);
  }
}

/** Whether the slot identifies or references a row, as opposed to describing one. */
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
