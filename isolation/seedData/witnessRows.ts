import type { Relation } from '../catalog.ts';
import { conditionsOf, sourcesOf } from './conditions.ts';
import type { RowValues } from './insertRow.ts';
import { RowGenerator } from './rowGenerator.ts';
import type { SeedContext } from './seedContext.ts';
import type { Row, SeededTenant, WitnessRows } from './seedData.ts';

/**
 * Creates witness rows: rows of A that a faulty policy, view or function would reveal. B gets similar rows.
 *
 * - For each policy and view, it searches for a row of A that satisfies the condition as B, or without a tenant.
 * - For functions and triggers, it creates rows with the values that they mention.
 *
 * @param nobody a valid id that no tenant has.
 */
export async function createWitnessRows(
  context: SeedContext,
  table: Relation,
  tenants: { a: SeededTenant; b: SeededTenant },
  nobody: string,
): Promise<WitnessRows> {
  const why = new Map<string, string>();
  const insertableRows: Record<'A' | 'B', Row[]> = { A: [], B: [] };
  const valueHints = new Map<string, (string | null)[]>();
  const generator = new RowGenerator(context, table, tenants, nobody);
  for (const condition of await conditionsOf(context.client, context.catalog, table)) {
    if (generator.isDone()) break;
    if (!generator.mentionsValues(condition)) continue;
    const found = await generator.satisfy(condition);
    if (!found) continue;
    if (condition.on === 'writes') {
      await generator.recordInsertable(found, insertableRows);
      await generator.insertForB(found);
    } else for (const row of await generator.keep(found)) why.set(JSON.stringify(row), condition.what);
  }
  for (const { what, text } of sourcesOf(context.catalog, table)) {
    const mentioned = await generator.mentionedValues(text);
    for (const [name, values] of mentioned)
      valueHints.set(name, [...new Set([...(valueHints.get(name) ?? []), ...values])].slice(0, 6));
    for (const values of combinations(mentioned)) {
      if (generator.isDone()) break;
      if (await generator.hasRow(values)) continue;
      await generator.recordInsertable({ values }, insertableRows);
      for (const row of await generator.keep({ values })) why.set(JSON.stringify(row), what);
    }
  }
  return { why, insertableRows: { A: insertableRows.A.slice(0, 6), B: insertableRows.B.slice(0, 6) }, valueHints };
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
