import { type AttackContext, isOnlyA } from './attackContext.ts';
import type { RootField } from './schema.ts';
import type { Slot } from './slots.ts';
import { isCompatible, valueIn } from './validArguments.ts';
import { decode, encode } from './values.ts';

/** The maximum number of A's values to try in a slot. It bounds the run time for schemas with many tables. */
const maxValues = 8;

/** A's values that may be meaningful in `slot`: values of the same name, keys of referenced rows, and all ids. */
export function valuesOfA(context: AttackContext, { entity }: RootField, slot: Slot): unknown[] {
  const { ofA, a, ownValues: own } = context;
  const pool = [...ofA.rows.values()];
  const ofType = (entity && ofA.rows.get(entity.name)) ?? [];
  const named = ofType.slice(0, 2).flatMap((row) => valueIn(row, slot) ?? []);
  // The schema does not show which texts a function accepts.
  const texts = named.length === 0 && slot.type === 'String' ? [...context.canaries.keys()] : [];
  const candidates =
    slot.type === 'ID'
      ? idsOfA(pool)
      : slot.type === 'UUID'
        ? [...named, ...uuidsOfA(pool), a.id]
        : [...named, ...texts.filter((text) => isCompatible(text, slot))];
  const known = candidates.filter(
    (value) => value !== null && value !== undefined && (slot.type !== 'UUID' || isCompatible(value, slot)),
  );
  const distinct = [...new Map(known.map((value) => [JSON.stringify(value), value])).values()];
  return distinct
    .filter((value) => (slot.type === 'ID' ? !own.has(String(value)) : isOnlyA(context, slot.name, value)))
    .slice(0, slot.type === 'ID' ? 40 : maxValues);
}

type Pool = readonly (readonly Readonly<Record<string, unknown>>[])[];

/** The key of one row of each type. */
function uuidsOfA(pool: Pool): unknown[] {
  return pool.flatMap(([row]) => row?.rowId ?? []);
}

/** Node ids of each type, and forged ones that combine one type's name with another type's key. */
function idsOfA(pool: Pool): unknown[] {
  const ids = pool.flatMap(([row]) => (typeof row?.id === 'string' ? [row.id] : []));
  const parts = ids.flatMap((id) => {
    const decoded = decode(id);
    return decoded ? [decoded] : [];
  });
  const forged = parts.flatMap(([name]) =>
    parts.filter(([other]) => other !== name).map(([, ...key]) => encode([name, ...key])),
  );
  return [...ids, ...forged];
}
