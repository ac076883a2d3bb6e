import type { Comparison, Exception } from '../../lint/accessModel.ts';
import { quoteName } from '../../lint/accessModel.ts';
import type { Relation } from '../catalog.ts';
import { declaredTable } from '../declarations.ts';
import { checksOf, columnCandidates, inSavepoint } from './checks.ts';
import { satisfies, valueFor } from './comparisons.ts';
import { chooseValues, insert, insertRow, type RowValues } from './insertRow.ts';
import { actFor, type SeedContext } from './seedContext.ts';
import { literal, type Row, readRows, type SeededTenant } from './seedData.ts';

type Through = Extract<Exception, { kind: 'through' }>;
type Tenants = { readonly a: SeededTenant; readonly b: SeededTenant; readonly c: SeededTenant };

/** Combinations of values to try for the conditions of one membership. */
const maxCombinations = 500;

/**
 * Makes B a member of new rows of A, if a comment declares that members may reach rows: one membership for each set of
 * conditions that it can satisfy, such as an accepted viewer. Other rows stay without B.
 */
export async function createMemberships(context: SeedContext, table: Relation, { a, b }: Tenants): Promise<void> {
  const { client, catalog, sharing, owners } = context;
  const all = sharing.exceptions(table, 'read').filter((one): one is Through => one.kind === 'through');
  const keyOf = ({ column, memberColumn, members }: Through) =>
    [column, memberColumn, members.userColumn, ...members.table].join();
  const used = new Set<string>();
  const hidden = `not coalesce(${sharing.readable(table, 't', b.id)}, false)`;
  for (const [one, ...others] of Map.groupBy(all, keyOf).values()) {
    if (!one) continue;
    const members = declaredTable(catalog, table, one.members.table);
    const declarations = [one, ...others].map((each) => each.members.conditions);
    const [ownership, owner] = [owners.get(table.oid), owners.get(members.oid)?.column?.name];
    if (!ownership) continue;
    for (const alternatives of await variants(context, members, declarations)) {
      const unused = async () =>
        (await readRows(client, table, ownership, a.id, hidden)).filter((row) => !used.has(JSON.stringify(row)));
      const before = new Set((await unused()).map((row) => JSON.stringify(row)));
      await actFor(context, a);
      await insertRow(context, table, a, 'full');
      const rows = await unused();
      const row = rows.find((one) => !before.has(JSON.stringify(one))) ?? rows[1];
      if (!row) break;
      const tenant = owner === one.members.userColumn ? b : a;
      const values = await chooseValues(context, members, tenant, 'full', 0);
      if (!values) continue;
      for (const key of members.foreignKeys)
        if (key.references === table.oid && key.columns.includes(one.memberColumn))
          for (const [i, name] of key.columns.entries()) values.set(name, row[key.referenced[i] as string] ?? null);
      values.set(one.memberColumn, row[one.column] ?? null).set(one.members.userColumn, b.id);
      for (const conditions of alternatives)
        if (await insertAnyhow(context, members, tenant, new Map([...values, ...conditions]))) break;
      used.add(JSON.stringify(row));
    }
  }
}

/** Values of the columns of conditions, grouped by the comparisons that they satisfy. Checks may refuse some. */
async function variants(
  context: SeedContext,
  members: Relation,
  declarations: readonly (readonly Comparison[])[],
): Promise<RowValues[][]> {
  const names = [...new Set(declarations.flat().map(({ column }) => column))];
  let combined: RowValues[] = [new Map()];
  for (const name of names) {
    const comparisons = declarations.flat().filter(({ column }) => column === name);
    const values = await valuesOf(context, members, name, comparisons);
    combined = combined
      .flatMap((before) => values.map((value) => new Map([...before, [name, value]])))
      .slice(0, maxCombinations);
  }
  const satisfied = (values: RowValues) =>
    declarations
      .flat()
      .map((one) => satisfies(one, values.get(one.column) ?? null))
      .join();
  return [...Map.groupBy(combined, satisfied).values()].slice(0, 8);
}

/** Values of a column, first those that satisfy the comparisons. */
async function valuesOf(
  { client, catalog, seed, count }: SeedContext,
  table: Relation,
  name: string,
  comparisons: readonly Comparison[],
): Promise<(string | null)[]> {
  const column = table.columns.find((one) => one.name === name);
  if (!column) return [];
  const checks = checksOf(table).filter(({ columns }) => columns.includes(name));
  const usual = await columnCandidates(client, catalog, column, checks, { seed, n: count });
  const isTime = comparisons.some(({ is }) => is === 'past');
  const mentioned = comparisons.flatMap((one) => (one.is === 'one of' ? one.values : []));
  const isBoolean = comparisons.some(({ is }) => is === 'true' || is === 'false');
  return [
    ...mentioned,
    ...(isBoolean ? ['true', 'false'] : []),
    ...(isTime ? ['2001-01-01T00:00:00Z', '2999-01-01T00:00:00Z'] : []),
    ...usual.filter((value) => !mentioned.includes(value)).slice(0, isBoolean || isTime ? 0 : 20),
    ...(column.notNull ? [] : [null]),
  ];
}

/** Inserts a row, without triggers and foreign keys if they refuse it. */
async function insertAnyhow(
  context: SeedContext,
  table: Relation,
  tenant: SeededTenant,
  values: RowValues,
): Promise<boolean> {
  const { client } = context;
  await actFor(context, tenant);
  if ((await insert(context, table, tenant, values)) === undefined) return true;
  const inserted = await inSavepoint(client, async () => {
    await client.query('set local session_replication_role = replica');
    const error = await insert(context, table, tenant, values);
    await client.query('set local session_replication_role = origin');
    return error === undefined;
  });
  return inserted ?? false;
}

/**
 * Takes the declared rights of staff from B and C, who would otherwise read all rows.
 *
 * @returns statements that make B a member of the staff, by the oid of the table that staff may read and not write.
 */
export async function createStaff(context: SeedContext, { b, c }: Tenants): Promise<Map<number, string[]>> {
  const { client, catalog, sharing } = context;
  const staff = new Map<number, string[]>();
  for (const table of catalog.tables) {
    const mayWrite = sharing.exceptions(table, 'write').some(({ kind }) => kind === 'by' || kind === 'everyone');
    for (const one of sharing.exceptions(table, 'read')) {
      if (one.kind !== 'by') continue;
      const { userColumn, conditions } = one.users;
      const users = declaredTable(catalog, table, one.users.table);
      const isUser = ({ id }: SeededTenant) => `${quoteName(userColumn)}::text = ${client.escapeLiteral(id)}`;
      const [saved] = (
        await client.query<{ row: Row }>(
          `select (select jsonb_object_agg(key, value) from jsonb_each_text(to_jsonb(t))) as row from ${users.sql} t where ${isUser(b)} limit 1`,
        )
      ).rows;
      for (const tenant of [b, c]) await demote(context, users, conditions, isUser(tenant));
      if (mayWrite) continue;
      const promoted = new Map(conditions.map((each) => [each.column, valueFor(each)]));
      const { rowCount } = await client.query(`select from ${users.sql} where ${isUser(b)}`);
      if (rowCount && promoted.size > 0) {
        const set = [...promoted].map(
          ([name, value]) => `${quoteName(name)} = ${literal(client, catalog, users, name, value)}`,
        );
        staff.set(table.oid, [`update ${users.sql} set ${set.join(', ')} where ${isUser(b)}`]);
        continue;
      }
      const base = saved ? new Map(Object.entries(saved.row)) : await chooseValues(context, users, b, 'full', 0);
      if (!base) continue;
      const generated = new Set(users.columns.filter((column) => column.generated).map(({ name }) => name));
      const values = [...new Map([...base, ...promoted, [userColumn, b.id]])].filter(([name]) => !generated.has(name));
      staff.set(table.oid, [
        `insert into ${users.sql} (${values.map(([name]) => quoteName(name)).join(', ')}) overriding system value values (${values
          .map(([name, value]) => literal(client, catalog, users, name, value))
          .join(', ')})`,
      ]);
    }
  }
  return staff;
}

/** Changes the rows of users so that they satisfy no condition, or else deletes them. */
async function demote(
  context: SeedContext,
  users: Relation,
  conditions: readonly Comparison[],
  where: string,
): Promise<void> {
  const { client, catalog } = context;
  for (const one of conditions) {
    const values = await valuesOf(context, users, one.column, [one]);
    for (const value of values.filter((each) => !satisfies(one, each))) {
      const set = `${quoteName(one.column)} = ${literal(client, catalog, users, one.column, value)}`;
      if (await inSavepoint(client, () => client.query(`update ${users.sql} set ${set} where ${where}`))) return;
    }
  }
  await inSavepoint(client, async () => {
    await client.query('set local session_replication_role = replica');
    await client.query(`delete from ${users.sql} where ${where}`);
    await client.query('set local session_replication_role = origin');
  });
}
