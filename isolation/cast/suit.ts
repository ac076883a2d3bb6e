import type { Relation } from '../catalog.ts';
import type { Member, Row, Suited } from './cast.ts';
import { conditionsOf, sourcesOf } from './conditions.ts';
import type { Values } from './insertRow.ts';
import { Maker } from './maker.ts';
import type { Making } from './making.ts';

/**
 * Gives A rows that policies, views and functions treat otherwise than others: for each policy and view one that it
 * lets through in B's transaction or in nobody's, if there is any; for functions and triggers rows with the values that
 * they speak of. B gets rows alike.
 */
export async function suit(
  making: Making,
  table: Relation,
  members: { a: Member; b: Member },
  nobody: string,
): Promise<Suited> {
  const why = new Map<string, string>();
  const spare: Record<'A' | 'B', Row[]> = { A: [], B: [] };
  const words = new Map<string, (string | null)[]>();
  const maker = new Maker(making, table, members, nobody);
  for (const condition of await conditionsOf(making.client, making.catalog, table)) {
    if (maker.isDone()) break;
    if (!maker.speaksOfValues(condition)) continue;
    const found = await maker.satisfy(condition);
    if (!found) continue;
    if (condition.on === 'writes') {
      await maker.spare(found, spare);
      await maker.alike(found);
    } else for (const row of await maker.keep(found)) why.set(JSON.stringify(row), condition.what);
  }
  for (const { what, text } of sourcesOf(making.catalog, table)) {
    const near = await maker.near(text);
    for (const [name, values] of near)
      words.set(name, [...new Set([...(words.get(name) ?? []), ...values])].slice(0, 6));
    for (const values of combinations(near)) {
      if (maker.isDone()) break;
      if (await maker.has(values)) continue;
      await maker.spare({ values }, spare);
      for (const row of await maker.keep({ values })) why.set(JSON.stringify(row), what);
    }
  }
  return { why, spare: { A: spare.A.slice(0, 6), B: spare.B.slice(0, 6) }, words };
}

/** Every value with every other, to a dozen: the first of each together come first. */
function combinations(lists: ReadonlyMap<string, readonly (string | null)[]>): Values[] {
  let found: { values: Values; rank: number }[] = [{ values: new Map(), rank: 0 }];
  for (const [name, list] of lists) {
    found = found
      .flatMap(({ values, rank }) =>
        list.map((value, i) => ({ values: new Map([...values, [name, value]]), rank: rank + i })),
      )
      .sort((one, other) => one.rank - other.rank)
      .slice(0, 12);
  }
  return lists.size === 0 ? [] : found.map(({ values }) => values);
}
