import { type AttackContext, isOnlyA } from './attackContext.ts';
import type { RootField } from './schema.ts';
import type { Slot } from './slots.ts';
import { fits, valueIn } from './validArguments.ts';
import { decode, encode } from './values.ts';

/** Values of A's that a slot is tried with: so many, so that a schema of many tables does not take for ever. */
const most = 8;

/** Values of A's that may mean something in `slot`: by its name, by what it refers to, and every id there is. */
export function valuesOfA(world: AttackContext, { entity }: RootField, slot: Slot): unknown[] {
  const { ofA, a, own } = world;
  const pool = [...ofA.rows.values()];
  const ofType = (entity && ofA.rows.get(entity.name)) ?? [];
  const named = ofType.slice(0, 2).flatMap((row) => valueIn(row, slot) ?? []);
  // Of a function's text nobody knows what it may be.
  const texts = named.length === 0 && slot.type === 'String' ? [...world.canaries.keys()] : [];
  const candidates =
    slot.type === 'ID'
      ? idsOfA(pool)
      : slot.type === 'UUID'
        ? [...named, ...uuidsOfA(pool), a.id]
        : [...named, ...texts.filter((text) => fits(text, slot))];
  const known = candidates.filter(
    (value) => value !== null && value !== undefined && (slot.type !== 'UUID' || fits(value, slot)),
  );
  const distinct = [...new Map(known.map((value) => [JSON.stringify(value), value])).values()];
  return distinct
    .filter((value) => (slot.type === 'ID' ? !own.has(String(value)) : isOnlyA(world, slot.name, value)))
    .slice(0, slot.type === 'ID' ? 40 : most);
}

type Pool = readonly (readonly Readonly<Record<string, unknown>>[])[];

/** The key of a row of each type. */
function uuidsOfA(pool: Pool): unknown[] {
  return pool.flatMap(([row]) => row?.rowId ?? []);
}

/** A node id of each type, and forged ones: each type's name with each other type's key. */
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
