import { join } from 'node:path';
import type pg from 'pg';
import { type Catalog, type Relation, refreshed } from '../catalog.ts';
import { type Filled, filledByTriggers } from '../filled.ts';
import { findOwners, isKey, isTenants, type Ownership } from '../owners.ts';
import { type Cast, type Holding, type Member, type Row, readRows, type Suited } from './cast.ts';
import { attempt, checksOf, columnCandidates } from './checks.ts';
import { actFor, fillRow } from './fill.ts';
import { insertRow } from './insertRow.ts';
import type { Making } from './making.ts';
import { inOrder } from './order.ts';
import { suit } from './suit.ts';
import { candidates, noHints } from './values.ts';

export interface CastOptions {
  readonly seed: number;
  /** Folder of `<table>.sql`, for tables whose rows cannot be made from the catalog. */
  readonly fixtures?: string;
  /** Ids of tenants that are there already, instead of new ones: A's, B's and one without rows. */
  readonly tenantIds?: readonly string[];
}

const defaultFixtures = join(import.meta.dirname, '..', 'fixtures');

/**
 * Makes the tenants and their rows in every table, from the catalog alone: the same for the same seed and schema.
 *
 * @param client in a transaction, as a role that row-level security does not bind.
 * @returns also why rows of some tables could not be made.
 */
export async function makeCast(client: pg.ClientBase, catalog: Catalog, options: CastOptions): Promise<Cast> {
  const { seed, fixtures = defaultFixtures, tenantIds = [] } = options;
  const owners = findOwners(catalog);
  const ids = [...tenantIds, ...(await makeIds(client, catalog, owners, seed)).slice(tenantIds.length)];
  // A between B and C: neither `<` nor `>` keeps both from what is A's.
  if (tenantIds.length === 0) {
    const [low, middle, high] = ids.slice(0, 3).sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
    ids.splice(0, 3, middle as string, low as string, high as string);
  }
  const [a, b, c] = (['A', 'B', 'C'] as const).map((name, i) => ({ name, id: ids[i] as string })) as [
    Member,
    Member,
    Member,
  ];
  const making: Making = { client, catalog, owners, seed, rows: new Map(), promised: new Map(), count: 0 };
  const problems = new Map<number, string>();
  const fills = filledByTriggers(catalog).filter(({ by }) => catalog.tables.includes(by));
  const targets = inOrder(
    catalog.tables.filter(
      (table) => !catalog.tables.some(({ parent, isPartition }) => isPartition && parent === table.oid),
    ),
    (table) => fills.filter((fill) => fill.table === table).map(({ by }) => by.oid),
  );
  const spares = new Map<number, Record<string, Pick<Holding, 'spare' | 'replaces'>>>();

  const rowsOf = (table: Relation, member: Member | null) => making.rows.get(table.oid)?.get(member?.id ?? null) ?? [];
  const fillTable = async (table: Relation) => {
    const ownership = owners.get(table.oid) as Ownership;
    const fill = (member: Member | null, kind: 'full' | 'minimal') => fillRow(making, table, member, kind, fixtures);
    if (ownership.kind === 'shared' || ownership.kind === 'unknown') {
      await remember(making, table, null);
      const error = rowsOf(table, null).length > 0 || (await fill(null, 'full'));
      if (error !== true) problems.set(table.oid, `no row could be made in it: ${error}`);
      await remember(making, table, null);
      return;
    }
    for (const member of isTenants(table, ownership) ? [a, b, c] : [a, b]) {
      await remember(making, table, member.id);
      // A trigger of another table has made the one row that the tenant can have.
      if (isSingle(table, ownership) && rowsOf(table, member).length > 0) continue;
      const errors = [await fill(member, 'full')];
      if (!isSingle(table, ownership) || errors[0] !== true) errors.push(await fill(member, 'minimal'));
      await remember(making, table, member.id);
      if (member.id === c.id || rowsOf(table, member).length > 0 || isImpossible(table)) continue;
      const error = errors.find((one) => one !== true) ?? 'it was not kept';
      problems.set(table.oid, `no row for ${member.name} could be made in it: ${error}${madeBy(fills, table)}`);
      return;
    }
  };
  for (const table of targets) await fillTable(table);
  // Tables that come later may have made what was missing, by a trigger or as a parent.
  for (const table of targets) {
    if (!problems.delete(table.oid)) continue;
    await fillTable(table);
  }
  // Rows as triggers and defaults left them, when all are there. What a trigger of another row took away comes again.
  for (const table of targets) {
    for (const member of [a, b]) {
      if (!['own', 'parent'].includes(owners.get(table.oid)?.kind ?? '')) continue;
      await remember(making, table, member.id);
      if (rowsOf(table, member).length > 0 || isImpossible(table) || problems.has(table.oid)) continue;
      await actFor(making, member);
      await attempt(client, async () => {
        await client.query('set local session_replication_role = replica');
        await insertRow(making, table, member, 'full');
        await client.query('set local session_replication_role = origin');
      });
    }
  }
  // The plain rows come first: attacks by key are made on them.
  const plain = new Map<number, ReadonlySet<string>>();
  const suited = new Map<number, Suited>();
  for (const table of targets) {
    if (problems.has(table.oid) || !['own', 'parent'].includes(owners.get(table.oid)?.kind ?? '')) continue;
    const known = [a, b].flatMap(({ id }) => making.rows.get(table.oid)?.get(id) ?? []);
    plain.set(table.oid, new Set(known.map(keyOf(table))));
    suited.set(table.oid, await suit(making, table, { a, b }, ids[3] as string));
    for (const { id } of [a, b]) await remember(making, table, id);
  }
  for (const table of catalog.tables) for (const id of [a.id, b.id, null]) await remember(making, table, id);
  await refresh(client, catalog);

  for (const table of targets) {
    const of: Record<string, Pick<Holding, 'spare' | 'replaces'>> = {};
    for (const member of [a, b]) {
      of[member.name] = problems.has(table.oid)
        ? { spare: [], replaces: false }
        : await makeSpares(making, table, member, fixtures);
    }
    spares.set(table.oid, of);
  }
  await actFor(making, null);
  const held = (table: Relation, member: Member): Holding => {
    const { spare, replaces } = spares.get(table.oid)?.[member.name] ?? { spare: [], replaces: false };
    const rows = making.rows.get(table.oid)?.get(member.id) ?? [];
    const isPlain = (row: Row) => plain.get(table.oid)?.has(keyOf(table)(row)) ?? true;
    return {
      rows: [...rows.filter(isPlain), ...rows.filter((row) => !isPlain(row))],
      spare: [...spare, ...(suited.get(table.oid)?.spare[member.name as 'A' | 'B'] ?? [])],
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
    holdings: new Map(catalog.tables.map((table) => [table.oid, { a: held(table, a), b: held(table, b) }])),
    suited,
    problems,
    shared: new Map(catalog.tables.map((table) => [table.oid, making.rows.get(table.oid)?.get(null) ?? []])),
  };
}

/** Names the triggers of other tables that are meant to make the table's rows. */
function madeBy(fills: readonly Filled<Relation>[], table: Relation): string {
  const triggers = fills.filter((fill) => fill.table === table).map(({ by, trigger }) => `${trigger} on ${by.name}`);
  return triggers.length > 0 ? ` (trigger ${triggers.join(' and ')} makes its rows)` : '';
}

/** Four ids of the type of ids, as the checks of the column that they come from have it. */
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
  const isFree =
    !source ||
    (source.column.type === uuid &&
      checksOf(source.table).every(({ columns }) => !columns.includes(source.column.name)));
  return isFree ? ids.map((id) => alikeBut(ids[0] as string, id)) : ids;
}

const uuid = 2950;

/** An id that begins and ends as another: who compares only a part of ids takes the two for the same. */
const alikeBut = (first: string, id: string) => `${first.slice(0, 8)}${id.slice(8, 24)}${first.slice(24)}`;

/** A tenant can have one row in it, because its key is the owner. */
const isSingle = (table: Relation, { column }: Ownership) => column !== undefined && isKey(table, column.name);

/** A hash partition takes what its hash function says, and a tenant's rows may all belong to another one. */
const isImpossible = ({ partitionConstraint }: Relation) =>
  partitionConstraint?.includes('satisfies_hash_partition') ?? false;

async function remember({ client, owners, rows }: Making, table: Relation, owner: string | null): Promise<void> {
  const found = await readRows(client, table, owners.get(table.oid) as Ownership, owner);
  const known = rows.get(table.oid) ?? new Map<string | null, Row[]>();
  rows.set(table.oid, known.set(owner, found));
}

/** Rows that would have been taken, and are taken back. */
async function makeSpares(
  making: Making,
  table: Relation,
  member: Member,
  fixtures: string,
): Promise<Pick<Holding, 'spare' | 'replaces'>> {
  const { client, owners } = making;
  const ownership = owners.get(table.oid) as Ownership;
  if (ownership.kind === 'shared') return { spare: [], replaces: false };
  const owner = ownership.kind === 'unknown' ? null : member.id;
  // Where a tenant is the key, it has one row.
  const isOnly = isSingle(table, ownership);
  for (const replaces of isOnly ? [true] : [false, true]) {
    const spare: Row[] = [];
    for (const kind of ['full', 'minimal'] as const) {
      await client.query('savepoint spare');
      if (replaces) await attempt(client, () => removeRows(client, table, ownership, owner));
      const before = new Set((await readRows(client, table, ownership, owner)).map((row) => JSON.stringify(row)));
      const error = await fillRow(making, table, member, kind, fixtures);
      const after = typeof error === 'string' ? [] : await readRows(client, table, ownership, owner);
      spare.push(...after.filter((row) => !before.has(JSON.stringify(row))).slice(0, 1));
      await client.query('rollback to savepoint spare; release savepoint spare');
    }
    if (spare.length > 0) return { spare, replaces };
  }
  return { spare: [], replaces: false };
}

/** What a row is known by, changed or not. */
const keyOf = (table: Relation) => (row: Row) =>
  JSON.stringify(
    (table.keys.find(({ kind }) => kind === 'primary')?.columns ?? Object.keys(row)).map((name) => row[name]),
  );

/**
 * Fills materialized views from the rows that are there now, as a role that row-level security does not bind: an owner
 * whom FORCE keeps from seeing anything would leave them empty, and of no use to anybody.
 */
async function refresh(client: pg.ClientBase, catalog: Catalog): Promise<void> {
  for (const { kind, sql } of catalog.relations.values()) {
    if (kind === 'materialized view')
      await attempt(client, () => client.query(`alter materialized view ${sql} owner to current_user`));
  }
  for (const statement of refreshed(catalog)) await attempt(client, () => client.query(statement));
}

/** Removes an owner's rows without triggers and foreign keys, where the role may leave them out. */
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
