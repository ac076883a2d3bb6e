import type { Column, ForeignKey, Relation } from '../catalog.ts';
import { isSharedColumn } from '../ownership.ts';
import { type Check, checksOf, columnCandidates, solve } from './checks.ts';
import { candidates, noHints } from './columnValues.ts';
import { valueFor } from './comparisons.ts';
import type { SeedContext } from './seedContext.ts';
import { literal, type Row, type SeededTenant } from './seedData.ts';

export type RowValues = Map<string, string | null>;

/**
 * Inserts one row of a tenant.
 *
 * @param kind `full` fills every column, `minimal` only the required columns.
 * @returns true, or the reason why the last attempt failed.
 */
export async function insertRow(
  context: SeedContext,
  table: Relation,
  tenant: SeededTenant | null,
  kind: 'full' | 'minimal',
): Promise<true | string> {
  let reason = 'no values satisfy its checks';
  for (let round = 0; round < 8; round++) {
    context.count += 1;
    const before = new Map([...context.deferredReferences].map(([to, rows]) => [to, [...rows]]));
    const values = await chooseValues(context, table, tenant, kind, round);
    if (!values) continue;
    const error = await insert(context, table, tenant, values);
    if (error === undefined) {
      context.deferredReferences.get(deferredKey(table, tenant))?.shift();
      return true;
    }
    restoreDeferred(context, before);
    reason = error;
  }
  return reason;
}

/**
 * Chooses the values of one row: first the owner and the foreign keys, then values that satisfy the checks.
 *
 * @param round selects another parent row and another combination of values in each attempt.
 * @returns undefined if no values satisfy the checks.
 */
export async function chooseValues(
  context: SeedContext,
  table: Relation,
  tenant: SeededTenant | null,
  kind: 'full' | 'minimal',
  round: number,
): Promise<RowValues | undefined> {
  const { client, catalog, owners, seed, count } = context;
  const values: RowValues = new Map();
  const ownership = owners.get(table.oid);
  if (ownership?.kind === 'own' && ownership.column && tenant) values.set(ownership.column.name, tenant.id);
  for (const [name, value] of firstValues(context, table, tenant)) values.set(name, value);
  for (const [name, value] of Object.entries(context.deferredReferences.get(deferredKey(table, tenant))?.[0] ?? {}))
    values.set(name, value);
  for (const key of byWidth(table.foreignKeys)) takeParent(context, table, key, tenant, kind, round, values);

  const checks = checksOf(table);
  const checked = new Set(checks.flatMap(({ columns }) => columns));
  const keyed = new Set(table.keys.flatMap(({ columns }) => columns));
  const choices = new Map<string, (string | null)[]>();
  for (const column of table.columns) {
    if (values.has(column.name) || column.generated || column.identity === 'always') continue;
    if (isSerial(column)) continue;
    if (isSharedColumn(column) && (column.default !== null || !column.notNull)) continue;
    const isOptional = kind === 'minimal' && !keyed.has(column.name) && (!column.notNull || column.default !== null);
    if (isOptional && !checked.has(column.name)) continue;
    const about = checks.filter(({ columns }) => columns.includes(column.name));
    const found: (string | null)[] = await columnCandidates(client, catalog, column, about, { seed, n: count });
    if (!column.notNull) kind === 'minimal' ? found.unshift(null) : found.push(null);
    if (found.length === 0 && column.default !== null) continue;
    choices.set(column.name, found);
  }
  for (const group of connected(checks, [...choices.keys()])) {
    const solved = await solveGroup(context, table, group, choices, values, round);
    if (!solved) return undefined;
    for (const [name, value] of solved) values.set(name, value);
  }
  for (const [name, found] of choices) if (!values.has(name)) values.set(name, found[0] ?? null);
  referToItself(table, values);
  return values;
}

/**
 * Values of a tenant's first row in a table of declared groups or their members: the group has the tenant's id, and the tenant
 * is its member. Later, another user becomes a member.
 */
function firstValues(
  { groups, rows, newMember }: SeedContext,
  table: Relation,
  tenant: SeededTenant | null,
): RowValues {
  const values: RowValues = new Map();
  const isFirst = tenant !== null && (rows.get(table.oid)?.get(tenant.id) ?? []).length === 0;
  if (!tenant || !(isFirst || newMember)) return values;
  for (const { table: group, key, members, groupColumn, userColumn, conditions } of groups) {
    if (isFirst && group?.oid === table.oid && key !== undefined) values.set(key, tenant.id);
    if (members.oid !== table.oid) continue;
    for (const one of conditions) values.set(one.column, valueFor(one));
    values.set(groupColumn, tenant.id).set(userColumn, isFirst ? tenant.id : (newMember ?? null));
  }
  return values;
}

async function solveGroup(
  { client, catalog }: SeedContext,
  table: Relation,
  { checks, columns }: { checks: Check[]; columns: string[] },
  choices: ReadonlyMap<string, (string | null)[]>,
  values: RowValues,
  round: number,
): Promise<RowValues | undefined> {
  // First filter each column by its own checks, so that fewer values remain to combine.
  const own = new Map<string, (string | null)[]>();
  for (const name of columns) {
    const alone = checks.filter((check) => check.columns.length === 1 && check.columns[0] === name);
    let left = choices.get(name) ?? [];
    if (alone.length > 0 && columns.length > 1) {
      const kept: (string | null)[] = [];
      for (let skip = 0; skip < 12; skip++) {
        const found = await solve(client, catalog, table, alone, new Map([[name, left]]), new Map(), skip);
        const value = found?.get(name);
        if (value === undefined || kept.includes(value)) break;
        kept.push(value);
      }
      left = kept;
    }
    own.set(name, left);
  }
  const mentioned = new Set(checks.flatMap((check) => check.columns));
  const fixed = new Map<string, string | null>(
    table.columns
      .filter(({ name }) => mentioned.has(name) && !own.has(name))
      .map(({ name }) => [name, values.get(name) ?? null]),
  );
  return solve(client, catalog, table, checks, own, fixed, round);
}

/** Groups checks and the free columns that they mention; checks that share a column are in one group. */
function connected(checks: readonly Check[], free: readonly string[]): { checks: Check[]; columns: string[] }[] {
  const groups: { checks: Check[]; columns: string[] }[] = [];
  for (const check of checks) {
    const columns = check.columns.filter((name) => free.includes(name));
    if (columns.length === 0) continue;
    const touched = groups.filter((group) => group.columns.some((name) => columns.includes(name)));
    for (const group of touched) groups.splice(groups.indexOf(group), 1);
    groups.push({
      checks: [...touched.flatMap((group) => group.checks), check],
      columns: [...new Set([...touched.flatMap((group) => group.columns), ...columns])],
    });
  }
  return groups;
}

const byWidth = (keys: readonly ForeignKey[]) => [...keys].sort((a, b) => b.columns.length - a.columns.length);

/**
 * Sets the columns of a foreign key from a row of the same tenant or from a shared row. Without such a row, a nullable
 * reference becomes null, and a required reference is deferred if its constraint is deferrable.
 */
function takeParent(
  context: SeedContext,
  table: Relation,
  key: ForeignKey,
  tenant: SeededTenant | null,
  kind: 'full' | 'minimal',
  round: number,
  values: RowValues,
): void {
  const { owners, rows } = context;
  const unset = key.columns.filter((name) => !values.has(name));
  if (unset.length === 0) return;
  const nullable = unset.filter((name) => !table.columns.find((column) => column.name === name)?.notNull);
  const isShared = !['own', 'parent'].includes(owners.get(key.references)?.kind ?? '');
  const parents = rows.get(key.references)?.get(isShared ? null : (tenant?.id ?? null)) ?? [];
  const fitting = parents.filter((row) =>
    key.columns.every(
      (name, i) =>
        !values.has(name) || values.get(name) === null || row[key.referenced[i] as string] === values.get(name),
    ),
  );
  if (kind === 'minimal' && nullable.length > 0) {
    for (const name of nullable) values.set(name, null);
    return;
  }
  const canDefer = key.deferrable && nullable.length === 0 && key.references !== table.oid;
  const parent: Row | undefined =
    fitting[round % Math.max(1, fitting.length)] ??
    (canDefer ? deferReference(context, key, tenant, values) : undefined);
  key.columns.forEach((name, i) => {
    if (values.has(name)) return;
    if (parent) values.set(name, parent[key.referenced[i] as string] ?? null);
    else if (nullable.includes(name)) values.set(name, null);
  });
}

const deferredKey = ({ oid }: Pick<Relation, 'oid'>, tenant: SeededTenant | null) => `${oid} ${tenant?.id}`;

/** Chooses the key of a row that a later insert creates. Postgres accepts it until then, as the foreign key is deferrable. */
function deferReference(
  { catalog, owners, deferredReferences, seed, count }: SeedContext,
  key: ForeignKey,
  tenant: SeededTenant | null,
  values: RowValues,
): Row {
  const table = catalog.relations.get(key.references) as Relation;
  const row: Record<string, string | null> = {};
  key.referenced.forEach((name, i) => {
    const column = table.columns.find((one) => one.name === name);
    const known =
      values.get(key.columns[i] as string) ?? (owners.get(table.oid)?.column?.name === name ? tenant?.id : undefined);
    const made =
      column && candidates(catalog.types, column.type, column.modifier, { seed, n: count, hints: noHints })[0];
    row[name] = known ?? made ?? null;
  });
  const to = deferredKey(table, tenant);
  deferredReferences.set(to, [...(deferredReferences.get(to) ?? []), row]);
  return row;
}

function restoreDeferred({ deferredReferences }: SeedContext, before: ReadonlyMap<string, Row[]>): void {
  deferredReferences.clear();
  for (const [to, rows] of before) deferredReferences.set(to, rows);
}

/** Makes a required reference to the row's own table refer to the row itself. */
function referToItself(table: Relation, values: RowValues): void {
  for (const { columns, references, referenced } of table.foreignKeys) {
    if (references !== table.oid) continue;
    columns.forEach((name, i) => {
      const own = values.get(referenced[i] as string);
      const column = table.columns.find((one) => one.name === name);
      if (column?.notNull && own !== undefined && name !== referenced[i]) values.set(name, own);
    });
  }
}

/** Whether a sequence numbers the column. */
const isSerial = ({ identity, default: text }: Column) => identity !== null || /^nextval\(/.test(text ?? '');

/**
 * Inserts a row in a savepoint. If no deferred reference is open afterwards, it also checks the deferred constraints.
 *
 * @returns the reason why the insert failed; undefined if it succeeded.
 */
export async function insert(
  { client, catalog, deferredReferences }: SeedContext,
  table: Relation,
  tenant: SeededTenant | null,
  values: RowValues,
): Promise<string | undefined> {
  // Insert a partition's row through the root table, whose defaults apply.
  let target = table;
  while (target.isPartition && target.parent) target = catalog.relations.get(target.parent) as Relation;
  const names = [...values.keys()].map((name) => client.escapeIdentifier(name));
  const literals = [...values].map(([name, value]) => literal(client, catalog, table, name, value));
  const text = `insert into ${target.sql} (${names.join(', ')}) overriding system value values (${literals.join(', ')})`;
  await client.query('savepoint insert_row');
  try {
    const { rowCount } = await client.query(names.length ? text : `insert into ${target.sql} default values`);
    const hasAllReferences = [...deferredReferences].every(
      ([to, rows]) => rows.length === (to === deferredKey(table, tenant) ? 1 : 0),
    );
    if (hasAllReferences) await client.query('set constraints all immediate; set constraints all deferred');
    await client.query('release savepoint insert_row');
    return rowCount === 0 && table.kind === 'table' ? 'a trigger skipped the insert' : undefined;
  } catch (error) {
    await client.query('rollback to savepoint insert_row; release savepoint insert_row');
    return (error as Error).message;
  }
}
