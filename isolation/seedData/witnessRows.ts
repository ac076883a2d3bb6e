import type { Relation } from '../catalog.ts';
import { conditionsOf, sourcesOf } from './conditions.ts';
import type { RowValues } from './insertRow.ts';
import { RowGenerator } from './rowGenerator.ts';
import type { SeedContext } from './seedContext.ts';
import type { Row, SeededTenant, WitnessRows } from './seedData.ts';

/**
 * Creates rows of A that policies, views and functions treat specially. B gets similar rows.
 *
 * - For each policy and view, it looks for a row that passes in B's transaction or in one without a tenant.
 * - For functions and triggers, it creates rows with the values that they mention.
 */
export async function createWitnessRows(
  context: SeedContext,
  table: Relation,
  tenants: { a: SeededTenant; b: SeededTenant },
  nobody: string,
): Promise<WitnessRows> {
  const why = new Map<string, string>();
  const insertableRows: Record<'A' | 'B', Row[]> = { A: [], B: [] };
  const words = new Map<string, (string | null)[]>();
  const generator = new RowGenerator(context, table, tenants, nobody);
  for (const condition of await conditionsOf(context.client, context.catalog, table)) {
    if (generator.isDone()) break;
    if (!generator.mentionsValues(condition)) continue;
    const found = await generator.satisfy(condition);
    if (!found) continue;
    if (condition.on === 'writes') {
      await generator.recordInsertable(found, insertableRows);
      await generator.alike(found);
    } else for (const row of await generator.keep(found)) why.set(JSON.stringify(row), condition.what);
  }
  for (const { what, text } of sourcesOf(context.catalog, table)) {
    const near = await generator.near(text);
    for (const [name, values] of near)
      words.set(name, [...new Set([...(words.get(name) ?? []), ...values])].slice(0, 6));
    for (const values of combinations(near)) {
      if (generator.isDone()) break;
      if (await generator.has(values)) continue;
      await generator.recordInsertable({ values }, insertableRows);
      for (const row of await generator.keep({ values })) why.set(JSON.stringify(row), what);
    }
  }
  return { why, insertableRows: { A: insertableRows.A.slice(0, 6), B: insertableRows.B.slice(0, 6) }, words };
}

/** Up to twelve combinations of the values, starting with the first value of each list. */
function combinations(lists: ReadonlyMap<string, readonly (string | null)[]>): RowValues[] {
  let found: { values: RowValues; rank: number }[] = [{ values: new Map(), rank: 0 }];
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
