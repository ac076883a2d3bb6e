import type { Attempt } from './attempt.ts';
import { type Catalog, isReachable, type Relation } from './catalog.ts';
import type { Control } from './controls.ts';
import { holding, type SeedData } from './seedData/seedData.ts';
import type { SqlOptions } from './sql/attackSql.ts';

/** Finds the reasons why a run without leaks proves nothing, one sentence each. */
export function unproven(
  catalog: Catalog,
  seedData: SeedData,
  attempts: readonly Attempt[],
  found: readonly Control[],
  options: SqlOptions,
): string[] {
  if (attempts.length === 0)
    return [
      `Nothing was attacked: ${catalog.role} can reach no table, view or function in ${catalog.schema}. Check --schema, --role and --table.`,
    ];
  const attacked = new Set(attempts.filter(({ outcome }) => outcome !== 'not applicable').map(({ table }) => table));
  return [
    ...[...catalog.tables, ...catalog.views].flatMap(
      (relation) => whyNotAttacked(catalog, seedData, relation, attacked, options) ?? [],
    ),
    ...idleControls(found),
  ];
}

/** Names the tables for which no row could be generated, one sentence each. */
export function whyWithoutRows({ tables }: Catalog, seedData: SeedData): string[] {
  return tables.flatMap((table) => whyWithoutRow(seedData, table) ?? []);
}

function whyWithoutRow(seedData: SeedData, table: Relation): string | undefined {
  const problem = seedData.problems.get(table.oid);
  const isOwned = ['own', 'parent'].includes(seedData.owners.get(table.oid)?.kind ?? '');
  if (problem === undefined || !(isOwned || isReachable(table))) return undefined;
  return `${table.name} was not attacked: ${problem}. Write an INSERT statement to isolation/fixtures/${table.name}.sql; see docs/tester.md.`;
}

function whyNotAttacked(
  catalog: Catalog,
  seedData: SeedData,
  table: Relation,
  attacked: ReadonlySet<string>,
  { only = () => true }: SqlOptions,
): string | undefined {
  const { name, oid } = table;
  const kind = seedData.owners.get(oid)?.kind;
  if (!only(name)) return undefined;
  const without = whyWithoutRow(seedData, table);
  if (without !== undefined) return without;
  if (table.schema === catalog.schema && !attacked.has(name)) return `${name} was not attacked.`;
  if (kind === undefined || !isReachable(table)) return undefined;
  if (kind === 'unknown')
    return `${name}: the catalog does not show who owns its rows. Add an owner column, or a comment: "@isolation shared: <why all tenants may write to it>".`;
  const isHash = table.partitionConstraint?.includes('satisfies_hash_partition') || table.kind === 'partitioned';
  const { rows } = holding(seedData, table, 'a');
  const readable = seedData.readable.get(oid);
  const isForAll = seedData.sharing.exceptions(table, 'read').some((one) => one.kind === 'everyone');
  if (rows.length > 0 && !isForAll && readable && rows.every((row) => readable.has(JSON.stringify(row))))
    return `${name}: others may read every generated row of A, as comments declare. Write a fixture with a row that they may not read; see docs/tester.md.`;
  return (kind === 'own' || kind === 'parent') && !isHash && rows.length === 0
    ? `${name}: A has no row in it.`
    : undefined;
}

/** Describes controls that fail without an explanation in the catalog; groups those that differ only in the column. */
function idleControls(controls: readonly Control[]): string[] {
  const idle = controls.filter(({ works, reason }) => !works && !reason);
  return groupAlike(idle).map(({ what, first: { table, answer, error } }) => {
    const advice = error
      ? adviceOn(error.code)
      : 'No generated row satisfies the policies. Write a fixture with a row that its tenant can use; see docs/tester.md.';
    return `${what} on ${table} is granted, but A cannot do it with its own row (${answer}), so B's failure proves nothing. ${advice}`;
  });
}

/** Groups the controls of one table and operation that have the same answer. */
export function groupAlike(controls: readonly Control[]): { what: string; first: Control }[] {
  const groups = Map.groupBy(controls, ({ table, operation, answer, reason }) =>
    JSON.stringify([table, operation, reason ?? answer]),
  );
  return [...groups.values()].map((group) => {
    const [first] = group as [Control];
    const columns = group.flatMap(({ column }) => column ?? []);
    return { what: columns.length > 0 ? `${first.operation} of ${columns.join(', ')}` : first.operation, first };
  });
}

const advice: Readonly<Record<string, string>> = {
  '42P17': 'A policy reads its own table. Move the read into a function that bypasses the policy.',
  '54001': 'A policy or a function calls itself endlessly. Remove the recursion.',
  '42501':
    'A policy refuses the row, or the role lacks a grant. Fix the policy, or grant the tables and functions that it uses.',
  '42704': 'A setting has no value. Give it with --set name=value, or read it with current_setting(name, true).',
};

function adviceOn(code: string): string {
  return advice[code] ?? 'Fix the policy, function or trigger that raises the error.';
}

/** Removes duplicates. If there is no sentence and no control works, adds one: no refusal proves anything then. */
export function withoutControls(sentences: readonly string[], controls: readonly Control[]): string[] {
  return sentences.length > 0 || controls.some(({ works }) => works)
    ? [...new Set(sentences)]
    : [
        "No control works: A can do nothing with its own rows, so B's failures prove nothing. Check --role and its grants.",
      ];
}
