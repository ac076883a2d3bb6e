import { join } from 'node:path';
import type pg from 'pg';
import { type Catalog, type Relation, refreshed } from '../catalog.ts';
import { findOwners, groupsOf, isKey, isTenants, type Ownership } from '../ownership.ts';
import { Sharing } from '../sharing.ts';
import { findTriggerInserts, type TriggerInsert } from '../triggerInserts.ts';
import { checksOf, columnCandidates, inSavepoint } from './checks.ts';
import { candidates, noHints } from './columnValues.ts';
import { createMemberships, createStaff } from './declaredRows.ts';
import { fillRow } from './fillRow.ts';
import { insertRow } from './insertRow.ts';
import { actFor, type SeedContext } from './seedContext.ts';
import { type Holding, type Row, readRows, type SeedData, type SeededTenant, type WitnessRows } from './seedData.ts';
import { inDependencyOrder } from './tableOrder.ts';
import { createWitnessRows } from './witnessRows.ts';

export interface SeedDataOptions {
  readonly seed: number;
  /** Folder with `<table>.sql` files, for tables whose rows cannot be generated from the catalog. */
  readonly fixtures?: string;
  /** Ids of existing tenants to use instead of new ones, in this order: A, B, and one without rows. */
  readonly tenantIds?: readonly string[];
}

const defaultFixtures = join(import.meta.dirname, '..', 'fixtures');

/**
 * Creates the tenants and their rows in every table, from the catalog alone. The same seed and schema give the same rows.
 *
 * 1. It inserts rows into each table, parents before children.
 * 2. It retries tables without rows, because a later trigger or parent may have made an insert possible.
 * 3. It adds witness rows.
 * 4. It generates insertable rows, each in a savepoint that it rolls back.
 *
 * @param client in a transaction, as a role that bypasses row-level security.
 * @returns the tenants, their rows, and for each table without rows the reason.
 */
export async function createSeedData(
  client: pg.ClientBase,
  catalog: Catalog,
  options: SeedDataOptions,
): Promise<SeedData> {
  const { seed, fixtures = defaultFixtures, tenantIds = [] } = options;
  const owners = findOwners(catalog);
  const sharing = new Sharing(catalog, owners);
  const ids = [...tenantIds, ...(await makeIds(client, catalog, owners, seed)).slice(tenantIds.length)];
  // A's id lies between B's and C's, so that a policy that compares ids with `<` or `>` leaks to B or to C.
  if (tenantIds.length === 0) {
    const [low, middle, high] = ids.slice(0, 3).sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
    ids.splice(0, 3, middle as string, low as string, high as string);
  }
  const [a, b, c] = (['A', 'B', 'C'] as const).map((name, i) => ({ name, id: ids[i] as string })) as [
    SeededTenant,
    SeededTenant,
    SeededTenant,
  ];
  const context: SeedContext = {
    client,
    catalog,
    owners,
    groups: groupsOf(catalog),
    sharing,
    seed,
    rows: new Map(),
    deferredReferences: new Map(),
    count: 0,
  };
  const problems = new Map<number, string>();
  const triggerInserts = findTriggerInserts(catalog).filter(({ by }) => catalog.tables.includes(by));
  const targets = inDependencyOrder(
    catalog.tables.filter(
      (table) => !catalog.tables.some(({ parent, isPartition }) => isPartition && parent === table.oid),
    ),
    (table) => triggerInserts.filter((insert) => insert.table === table).map(({ by }) => by.oid),
  );
  const insertable = new Map<number, Record<string, Pick<Holding, 'insertableRows' | 'replaces'>>>();

  const rowsOf = (table: Relation, tenant: SeededTenant | null) =>
    context.rows.get(table.oid)?.get(tenant?.id ?? null) ?? [];
  const fillTable = async (table: Relation) => {
    const ownership = owners.get(table.oid) as Ownership;
    const fill = (tenant: SeededTenant | null, kind: 'full' | 'minimal') =>
      fillRow(context, table, tenant, kind, fixtures);
    if (ownership.kind === 'shared' || ownership.kind === 'unknown') {
      await reloadRows(context, table, null);
      const error = rowsOf(table, null).length > 0 || (await fill(null, 'full'));
      if (error !== true) problems.set(table.oid, `no row could be inserted: ${error}`);
      await reloadRows(context, table, null);
      return;
    }
    for (const tenant of isTenants(table, ownership) ? [a, b, c] : [a, b]) {
      await reloadRows(context, table, tenant.id);
      // A trigger of another table has already inserted the only row that the tenant can have.
      if (isSingle(table, ownership) && rowsOf(table, tenant).length > 0) continue;
      const errors = [await fill(tenant, 'full')];
      if (!isSingle(table, ownership) || errors[0] !== true) errors.push(await fill(tenant, 'minimal'));
      await reloadRows(context, table, tenant.id);
      if (tenant.id === c.id || rowsOf(table, tenant).length > 0 || isHashPartition(table)) continue;
      const error = errors.find((one) => one !== true) ?? 'the row disappeared after the insert';
      problems.set(
        table.oid,
        `no row for ${tenant.name} could be inserted: ${error}${describeTriggers(triggerInserts, table)}`,
      );
      return;
    }
  };
  for (const table of targets) await fillTable(table);
  // A later table may have inserted the missing rows by a trigger, or may have supplied the missing parents.
  for (const table of targets) {
    if (!problems.delete(table.oid)) continue;
    await fillTable(table);
  }
  // Read the final rows, after all triggers and defaults. If a trigger deleted a row, insert it again without triggers.
  for (const table of targets) {
    for (const tenant of [a, b]) {
      if (!['own', 'parent'].includes(owners.get(table.oid)?.kind ?? '')) continue;
      await reloadRows(context, table, tenant.id);
      if (rowsOf(table, tenant).length > 0 || isHashPartition(table) || problems.has(table.oid)) continue;
      await actFor(context, tenant);
      await inSavepoint(client, async () => {
        await client.query('set local session_replication_role = replica');
        await insertRow(context, table, tenant, 'full');
        await client.query('set local session_replication_role = origin');
      });
    }
  }
  // Attacks by key use the first rows, so witness rows come after plain ones.
  const plain = new Map<number, ReadonlySet<string>>();
  const witnessRows = new Map<number, WitnessRows>();
  for (const table of targets) {
    if (problems.has(table.oid) || !['own', 'parent'].includes(owners.get(table.oid)?.kind ?? '')) continue;
    const known = [a, b].flatMap(({ id }) => context.rows.get(table.oid)?.get(id) ?? []);
    plain.set(table.oid, new Set(known.map(keyOf(table))));
    witnessRows.set(table.oid, await createWitnessRows(context, table, { a, b }, ids[3] as string));
    await createMemberships(context, table, { a, b, c });
    for (const { id } of [a, b]) await reloadRows(context, table, id);
  }
  const staff = await createStaff(context, { a, b, c });
  for (const table of catalog.tables) for (const id of [a.id, b.id, null]) await reloadRows(context, table, id);
  await refresh(client, catalog);

  context.newMember = c.id;
  for (const table of targets) {
    const of: Record<string, Pick<Holding, 'insertableRows' | 'replaces'>> = {};
    for (const tenant of [a, b]) {
      of[tenant.name] = problems.has(table.oid)
        ? { insertableRows: [], replaces: false }
        : await createInsertableRows(context, table, tenant, fixtures);
    }
    insertable.set(table.oid, of);
  }
  await actFor(context, null);
  const readable = new Map<number, ReadonlySet<string>>();
  for (const table of catalog.tables) {
    const condition = sharing.readable(table, 't', b.id);
    if (condition === 'false') continue;
    const rows = await readRows(client, table, owners.get(table.oid) as Ownership, a.id, condition);
    readable.set(table.oid, new Set(rows.map((row) => JSON.stringify(row))));
  }
  const holdingOf = (table: Relation, tenant: SeededTenant): Holding => {
    const { insertableRows, replaces } = insertable.get(table.oid)?.[tenant.name] ?? {
      insertableRows: [],
      replaces: false,
    };
    const rows = context.rows.get(table.oid)?.get(tenant.id) ?? [];
    const isPlain = (row: Row) => plain.get(table.oid)?.has(keyOf(table)(row)) ?? true;
    const ordered = [...rows.filter(isPlain), ...rows.filter((row) => !isPlain(row))];
    return {
      rows: tenant.id === a.id ? alternating(ordered, readable.get(table.oid)) : ordered,
      insertableRows: [
        ...insertableRows,
        ...(witnessRows.get(table.oid)?.insertableRows[tenant.name as 'A' | 'B'] ?? []),
      ],
      replaces,
    };
  };
  return {
    seed,
    a,
    b,
    c,
    nobody: ids[3] as string,
    owners,
    holdings: new Map(catalog.tables.map((table) => [table.oid, { a: holdingOf(table, a), b: holdingOf(table, b) }])),
    witnessRows,
    problems,
    sharing,
    readable,
    groups: context.groups,
    staff,
    shared: new Map(catalog.tables.map((table) => [table.oid, context.rows.get(table.oid)?.get(null) ?? []])),
  };
}

/** Attacks by key use the first rows, so the first two are one that B may not read and one that B may read. */
function alternating(rows: readonly Row[], readable: ReadonlySet<string> = new Set()): Row[] {
  const isReadable = (row: Row) => readable.has(JSON.stringify(row));
  const first = [rows.find((row) => !isReadable(row)), rows.find(isReadable)].filter((row) => row !== undefined);
  return readable.size === 0 ? [...rows] : [...first, ...rows.filter((row) => !first.includes(row))];
}

/** Names the triggers of other tables that insert this table's rows. */
function describeTriggers(triggerInserts: readonly TriggerInsert<Relation>[], table: Relation): string {
  const triggers = triggerInserts
    .filter((insert) => insert.table === table)
    .map(({ by, trigger }) => `${trigger} on ${by.name}`);
  return triggers.length > 0 ? ` (trigger ${triggers.join(' and ')} inserts its rows)` : '';
}

/** Four tenant ids that satisfy the checks of an owner column. */
async function makeIds(
  client: pg.ClientBase,
  catalog: Catalog,
  owners: ReadonlyMap<number, Ownership>,
  seed: number,
): Promise<string[]> {
  const own = catalog.tables.flatMap((table) => {
    const column = owners.get(table.oid)?.column;
    return column ? [{ table, column }] : [];
  });
  const source = own.find(({ table, column }) => isKey(table, column.name)) ?? own[0];
  const ids: string[] = [];
  for (let n = 0; n < 4; n++) {
    const options = { seed, n: 1_000_000 + 1_009 * (seed % 97) + n };
    const found = source
      ? await columnCandidates(
          client,
          catalog,
          source.column,
          checksOf(source.table).filter(({ columns }) => columns.includes(source.column.name)),
          options,
        )
      : candidates(catalog.types, uuid, -1, { ...options, hints: noHints });
    ids.push(found.find((id) => !ids.includes(id) && id !== '') ?? `${options.n}`);
  }
  const hasNoChecks =
    !source ||
    (source.column.type === uuid &&
      checksOf(source.table).every(({ columns }) => !columns.includes(source.column.name)));
  return hasNoChecks ? ids.map((id) => withEndsOf(ids[0] as string, id)) : ids;
}

const uuid = 2950;

/** Gives an id the start and end of another, so that a policy that compares only a part of ids confuses them. */
const withEndsOf = (first: string, id: string) => `${first.slice(0, 8)}${id.slice(8, 24)}${first.slice(24)}`;

/** Whether each tenant can have only one row, because the owner column is a key. */
const isSingle = (table: Relation, { column }: Ownership) => column !== undefined && isKey(table, column.name);

/** Whether the table is a hash partition. It may have no rows of a tenant, because all belong to other partitions. */
const isHashPartition = ({ partitionConstraint }: Relation) =>
  partitionConstraint?.includes('satisfies_hash_partition') ?? false;

/** Reads an owner's rows from the database into the seed context. */
async function reloadRows({ client, owners, rows }: SeedContext, table: Relation, owner: string | null): Promise<void> {
  const found = await readRows(client, table, owners.get(table.oid) as Ownership, owner);
  const known = rows.get(table.oid) ?? new Map<string | null, Row[]>();
  rows.set(table.oid, known.set(owner, found));
}

/** Inserts rows for the tenant, reads them, and rolls them back. */
async function createInsertableRows(
  context: SeedContext,
  table: Relation,
  tenant: SeededTenant,
  fixtures: string,
): Promise<Pick<Holding, 'insertableRows' | 'replaces'>> {
  const { client, owners } = context;
  const ownership = owners.get(table.oid) as Ownership;
  if (ownership.kind === 'shared' && context.sharing.exceptions(table, 'read').length === 0)
    return { insertableRows: [], replaces: false };
  const owner = ['shared', 'unknown'].includes(ownership.kind) ? null : tenant.id;
  const isOnly = isSingle(table, ownership);
  for (const replaces of isOnly ? [true] : [false, true]) {
    const insertableRows: Row[] = [];
    for (const kind of ['full', 'minimal'] as const) {
      await client.query('savepoint insertable_row');
      if (replaces) await inSavepoint(client, () => removeRows(client, table, ownership, owner));
      const before = new Set((await readRows(client, table, ownership, owner)).map((row) => JSON.stringify(row)));
      const error = await fillRow(context, table, tenant, kind, fixtures);
      const after = typeof error === 'string' ? [] : await readRows(client, table, ownership, owner);
      insertableRows.push(...after.filter((row) => !before.has(JSON.stringify(row))).slice(0, 1));
      await client.query('rollback to savepoint insertable_row; release savepoint insertable_row');
    }
    if (insertableRows.length > 0) return { insertableRows, replaces };
  }
  return { insertableRows: [], replaces: false };
}

/** Identifies a row by its primary key, which survives changes of other columns. */
const keyOf = (table: Relation) => (row: Row) =>
  JSON.stringify(
    (table.keys.find(({ kind }) => kind === 'primary')?.columns ?? Object.keys(row)).map((name) => row[name]),
  );

/**
 * Refreshes the materialized views as a role that bypasses row-level security. An owner bound by FORCE would see no
 * rows and leave the views empty.
 */
async function refresh(client: pg.ClientBase, catalog: Catalog): Promise<void> {
  for (const { kind, sql } of catalog.relations.values()) {
    if (kind === 'materialized view')
      await inSavepoint(client, () => client.query(`alter materialized view ${sql} owner to current_user`));
  }
  for (const statement of refreshed(catalog)) await inSavepoint(client, () => client.query(statement));
}

/** Deletes an owner's rows without firing triggers or foreign keys; needs the right to set session_replication_role. */
async function removeRows(
  client: pg.ClientBase,
  table: Relation,
  ownership: Ownership,
  owner: string | null,
): Promise<void> {
  await client.query('set local session_replication_role = replica');
  await client.query(`delete from ${table.sql} t where ${ownership.sql('t')} is not distinct from $1`, [owner]);
  await client.query('set local session_replication_role = origin');
}
