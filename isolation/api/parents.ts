import type { GraphQLObjectType } from 'postgraphile/graphql';
import type { Holdings, Row } from './rows.ts';
import { type Api, relations } from './schema.ts';

/**
 * Chooses one of the tenant's own rows for each reference of a new row.
 *
 * @param turn selects the combination of rows.
 * @returns a function that gives the value of a slot in a reference, such as `listId`; undefined for other slots.
 */
export function parentValues(
  api: Api,
  entity: GraphQLObjectType,
  holdings: Holdings,
  turn: number,
): (slot: string) => unknown {
  const own = holdings.rows.get(entity.name) ?? [];
  let rest = turn;
  const chosen = relations(entity, api.rows).flatMap(({ field, to, many }) => {
    const parents = holdings.rows.get(to.name) ?? [];
    if (many || parents.length === 0) return [];
    const row = parents[rest % parents.length] as Row;
    rest = Math.floor(rest / parents.length);
    return [{ name: field.name, row, parents }];
  });
  return (slot) => {
    for (const { name, row, parents } of chosen) {
      if (slot.startsWith(name) && slot !== name) {
        const key = slot.slice(name.length);
        const value = row[key === 'Id' ? 'rowId' : key.charAt(0).toLowerCase() + key.slice(1)];
        if (value !== undefined) return value;
      }
      // The columns of a composite key have the same names on both sides, and only values that a parent has.
      const has = (list: readonly Row[], value: unknown) => list.some((other) => other[slot] === value);
      if (slot !== 'rowId' && slot in row && own.length > 0 && own.every((mine) => has(parents, mine[slot])))
        return row[slot];
    }
    return undefined;
  };
}
