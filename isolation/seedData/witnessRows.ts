import { quoteName } from '../../lint/accessModel.ts';
import type { Relation } from '../catalog.ts';
import { anyOf } from '../sharing.ts';
import { type Condition, conditionsOf, sourcesOf } from './conditions.ts';
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
  const conditions = await conditionsOf(context.client, context.catalog, table);
  for (const condition of [...declaredConditions(context, table, tenants.b), ...conditions]) {
    if (generator.isDone()) break;
    if (!generator.mentionsValues(condition)) continue;
    const found = await generator.satisfy(withoutDeclared(context, table, tenants.b, condition));
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

const declared = 'what its comment declares';

/** Conditions for rows that others may read by declaration, and for those that they may not. */
function declaredConditions({ sharing }: SeedContext, table: Relation, { id }: SeededTenant): Condition[] {
  const shared = sharing.readableByValues(table, quoteName(table.relname), id);
  return shared.length === 0
    ? []
    : [`not coalesce(${anyOf(shared)}, false)`, ...shared].map((expression) => ({
        what: declared,
        relation: table,
        expression,
        text: expression,
        asTenant: false,
        on: 'rows',
      }));
}

/** Looks for rows that a policy or view shows although no declaration covers them. */
function withoutDeclared(
  { sharing }: SeedContext,
  table: Relation,
  { id }: SeededTenant,
  condition: Condition,
): Condition {
  const shared = sharing.readableByValues(table, quoteName(condition.relation.relname), id);
  if (condition.on === 'writes' || condition.what === declared || shared.length === 0) return condition;
  const not = `not coalesce(${anyOf(shared)}, false)`;
  return { ...condition, expression: `${condition.expression} and ${not}`, text: `${condition.text};\n${not}` };
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
