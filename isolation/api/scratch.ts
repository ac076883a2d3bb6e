import type pg from 'pg';
import { type Catalog, type Relation, readCatalog, type Scope } from '../catalog.ts';
import { withOrganization } from '../hedgerow/organizations.ts';
import { hmac } from '../http/forgery.ts';
import { createSeedData } from '../seedData/createSeedData.ts';
import { holding, literal, type SeedData } from '../seedData/seedData.ts';
import { whyWithoutRows } from '../unproven.ts';
import { type Account, register } from './accounts.ts';
import { type AttackContext, fieldsOf, valuesOf, type Watch } from './attackContext.ts';
import type { ApiActor, Client } from './client.ts';
import { explainer, routineOf } from './explain.ts';
import { entryFields, type Holdings, type Row, readHoldings } from './rows.ts';
import { type Api, readApi } from './schema.ts';
import { difference, Tables } from './tables.ts';
import type { RevokedActors } from './unauthenticated.ts';
import { decode, isDistinctive } from './values.ts';

export interface ScratchOptions {
  /** Connected to a scratch database, as a role that bypasses row-level security. */
  readonly admin: pg.Client;
  readonly scope: Scope;
  readonly seed: number;
  readonly jwtSecret: string;
  readonly fixtures?: string;
}

export type Scratch = Awaited<ReturnType<typeof createScratchContext>>;

export type AttackContextParts = Omit<AttackContext, 'report' | 'failed'>;

/**
 * Prepares an attack on a server with a scratch database. It registers the users through the server, creates rows for
 * them in every table, and reads these rows through the API.
 */
export async function createScratchContext(
  client: Client,
  { admin, scope, seed, jwtSecret, fixtures }: ScratchOptions,
) {
  const [a, b, empty, deactivated, signedOut] = (await mapInSequence(
    ['A', 'B', 'C', 'a deactivated user', 'a user who signed out'],
    async (name) => withOrganization(admin, await register(client, name)),
  )) as [Account, Account, Account, Account, Account];
  await admin.query('update app_private.credentials set is_active = false where user_id = $1', [deactivated.id]);
  await client.send('POST', '/auth/logout-all', signedOut.token);
  const catalog = await readCatalog(admin, scope);
  await admin.query('begin');
  const seedData = await createSeedData(admin, catalog, {
    seed,
    tenantIds: [a.id, b.id, empty.id],
    ...(fixtures && { fixtures }),
  });
  await admin.query('commit');
  const api = await readApi(client, a);
  const tables = new Tables(admin, catalog, seedData.owners, [a.id, b.id, empty.id]);
  await tables.keep();
  const state = await tables.read();
  const textOf = (isOf: (owner: string | null) => boolean) =>
    state.rows.flatMap(({ owner, row }) => (isOf(owner) ? [row] : [])).join('\n');
  const text = { a: textOf((owner) => owner === a.id), b: textOf((owner) => owner === b.id) };

  const holdingsOf = async (actor: Account, tenant: 'a' | 'b', others: string) => {
    const own = withoutForeignRows(await readHoldings(client, api, actor), text[tenant], others);
    return withInsertableRows(own, { admin, catalog, seedData, tables }, client, api, actor, tenant);
  };
  const ofA = await holdingsOf(a, 'a', text.b);
  const ofB = await holdingsOf(b, 'b', text.a);
  const ofEmpty = withoutForeignRows(
    await readHoldings(client, api, empty),
    textOf((owner) => owner === empty.id),
    text.a + text.b,
  );
  const usedValues = new Set([...valuesOf(ofA), ...valuesOf(ofB)].map(([value]) => JSON.stringify(value)));
  // Values that a row of A's contains and that no other row contains.
  const others = textOf((owner) => owner !== a.id);
  const canaries = new Map(
    [...valuesOf(ofA)].filter(([value]) => isDistinctive(value) && !isIn(others, value)) as [string, string][],
  );
  const known = new Set([...fieldsOf(ofB), ...fieldsOf(ofEmpty)]);
  const onlyA = new Set([...fieldsOf(ofA)].filter((field) => !known.has(field)));
  const ownValues = new Set(
    [...valuesOf(ofB)].flatMap(([value]) => (typeof value === 'boolean' ? [] : [String(value)])),
  );
  const revokedActors: RevokedActors = {
    actors: [deactivated, signedOut],
    signer: hmac(jwtSecret),
    sessionOfB: b.sessionId,
  };
  const relationOf = (type: string | undefined) =>
    catalog.tables.find(({ name }) => name === tableOf(catalog, api, type));
  const context: AttackContextParts = {
    client,
    api,
    a,
    b,
    empty,
    ofA,
    ofB,
    ofEmpty,
    sampleRows: ofA.insertableRows ?? new Map(),
    usedValues,
    onlyA,
    ownValues,
    canaries,
    watch: watchTables(tables, state, (type) => {
      const table = relationOf(type);
      return table && holding(seedData, table, 'a').replaces ? table : undefined;
    }),
    tableOf: (type) => tableOf(catalog, api, type),
    routineOf: (field) => routineOf(catalog, field)?.name,
    explain: explainer(admin, catalog, seedData),
  };
  const accounts = { sessionOfA: a.sessionId, secrets: [a.email] };
  return { context, revokedActors, accounts, tables, catalog, problems: whyWithoutRows(catalog, seedData) };
}

async function mapInSequence<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Whether `text` contains the value or, for a node id, the key in it. */
function isIn(text: string, value: string): boolean {
  const [, ...key] = decode(value) ?? [];
  return text.includes(value) || (key.length > 0 && key.every((part) => text.includes(String(part))));
}

/**
 * Watches the tables directly. After a check, `latest` holds the state until `restore` compares it with the initial one.
 *
 * @param single returns a type's table if a tenant can have only one row in it.
 */
function watchTables(
  tables: Tables,
  before: Awaited<ReturnType<Tables['read']>>,
  single: (type: string | undefined) => Relation | undefined,
): Watch {
  let latest: Awaited<ReturnType<Tables['read']>> | undefined;
  return {
    changeOf: async (actor: ApiActor) => {
      latest = await tables.read([actor.id ?? '']);
      return difference(before.of(actor.id ?? ''), latest.of(actor.id ?? ''));
    },
    makeRoom: async ({ id = '' }, type) => {
      const table = single(type);
      if (table) await tables.clear(table, id);
    },
    restore: async () => {
      latest ??= await tables.read([]);
      if (latest.fingerprint !== before.fingerprint) await tables.restore();
      latest = undefined;
    },
  };
}

/** Removes rows of other tenants, which the API returns if there is a leak. */
function withoutForeignRows(holdings: Holdings, own: string, others: string): Holdings {
  const isForeign = (row: Row) =>
    Object.entries(row).some(
      ([name, value]) => name !== 'id' && isDistinctive(value) && !own.includes(value) && others.includes(value),
    );
  return {
    ...holdings,
    rows: new Map([...holdings.rows].map(([type, rows]) => [type, rows.filter((row) => !isForeign(row))])),
  };
}

interface InsertableRowsOptions {
  readonly admin: pg.Client;
  readonly catalog: Catalog;
  readonly seedData: SeedData;
  readonly tables: Tables;
}

/** Inserts the tenant's insertable rows, reads them through the API, and restores the tables. */
async function withInsertableRows(
  known: Holdings,
  { admin, catalog, seedData, tables }: InsertableRowsOptions,
  client: Client,
  api: Api,
  actor: ApiActor,
  tenant: 'a' | 'b',
): Promise<Holdings> {
  for (const table of catalog.tables) {
    const { insertableRows, replaces } = holding(seedData, table, tenant);
    if (replaces) await tables.clear(table, actor.id ?? '');
    for (const row of insertableRows) {
      const columns = table.columns.filter(({ name, generated }) => !generated && row[name] !== undefined);
      const names = columns.map(({ name }) => admin.escapeIdentifier(name));
      const values = columns.map(({ name }) => literal(admin, catalog, table, name, row[name] ?? null));
      // Ignores a row that conflicts with an earlier one.
      await admin
        .query(`insert into ${table.sql} (${names}) overriding system value values (${values}) on conflict do nothing`)
        .catch(() => {});
    }
  }
  const { rows } = await readHoldings(client, api, actor);
  await tables.restore();
  const isKnown = (type: string, row: Row) =>
    known.rows.get(type)?.some((other) => JSON.stringify(other) === JSON.stringify(row));
  return {
    ...known,
    insertableRows: new Map([...rows].map(([type, found]) => [type, found.filter((row) => !isKnown(type, row))])),
  };
}

/** The table or view from which the API reads a type. The field that lists its rows has the same name. */
function tableOf({ schema, tables, views }: Catalog, api: Api, type = 'API'): string {
  const listed = entryFields(api).filter((entry) => entry.type.name === type && entry.many);
  const names = [...listed.map(({ field }) => field.name), `${type}s`, type].map((name) => name.toLowerCase());
  const found = names.flatMap((name) =>
    [...tables, ...views].filter((one) => one.schema === schema && one.relname.replaceAll('_', '') === name),
  );
  return found[0]?.name ?? `(${type})`;
}
