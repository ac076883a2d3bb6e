import type pg from 'pg';
import { type Catalog, type Relation, readCatalog, type Scope } from '../catalog.ts';
import { hmac } from '../http/forgery.ts';
import { createSeedData } from '../seedData/createSeedData.ts';
import { holding, literal, type SeedData } from '../seedData/seedData.ts';
import { whyWithoutRows } from '../unproven.ts';
import { type Account, register } from './accounts.ts';
import { type AttackContext, fieldsOf, valuesOf, type Watch } from './attackContext.ts';
import type { Client, Member } from './client.ts';
import { explainer, routineOf } from './explain.ts';
import { entrances, type Holdings, type Row, readHoldings } from './rows.ts';
import { type Api, readApi } from './schema.ts';
import { difference, Tables } from './tables.ts';
import type { RevokedActors } from './unauthenticated.ts';
import { decode, isDistinctive } from './values.ts';

export interface ScratchOptions {
  /** Of a role that bypasses row-level security, on a database that may be filled with anything. */
  readonly admin: pg.Client;
  readonly scope: Scope;
  readonly seed: number;
  readonly jwtSecret: string;
  readonly fixtures?: string;
}

export type Scratch = Awaited<ReturnType<typeof scratchWorld>>;

export type AttackContextParts = Omit<AttackContext, 'report' | 'failed'>;

/** The cast in a scratch database: signed up through the server, with rows in every table. */
export async function scratchWorld(client: Client, { admin, scope, seed, jwtSecret, fixtures }: ScratchOptions) {
  const [a, b, empty, deactivated, left] = (await inTurn(
    ['A', 'B', 'C', 'a deactivated user', 'a user who signed out'],
    (name) => register(client, name),
  )) as [Account, Account, Account, Account, Account];
  await admin.query('update app_private.credentials set is_active = false where user_id = $1', [deactivated.id]);
  await client.send('POST', '/auth/logout-all', left.token);
  const catalog = await readCatalog(admin, scope);
  await admin.query('begin');
  const cast = await createSeedData(admin, catalog, {
    seed,
    tenantIds: [a.id, b.id, empty.id],
    ...(fixtures && { fixtures }),
  });
  await admin.query('commit');
  const api = await readApi(client, a);
  const tables = new Tables(admin, catalog, cast.owners, [a.id, b.id, empty.id]);
  await tables.keep();
  const state = await tables.read();
  const textOf = (isOf: (owner: string | null) => boolean) =>
    state.rows.flatMap(({ owner, row }) => (isOf(owner) ? [row] : [])).join('\n');
  const text = { a: textOf((owner) => owner === a.id), b: textOf((owner) => owner === b.id) };

  const holdingsOf = async (member: Account, who: 'a' | 'b', others: string) => {
    const own = ownRows(await readHoldings(client, api, member), text[who], others);
    return withSpare(own, { admin, catalog, cast, tables }, client, api, member, who);
  };
  const ofA = await holdingsOf(a, 'a', text.b);
  const ofB = await holdingsOf(b, 'b', text.a);
  const ofEmpty = ownRows(
    await readHoldings(client, api, empty),
    textOf((owner) => owner === empty.id),
    text.a + text.b,
  );
  const taken = new Set([...valuesOf(ofA), ...valuesOf(ofB)].map(([value]) => JSON.stringify(value)));
  // What is in a row of A's and in no other row at all.
  const others = textOf((owner) => owner !== a.id);
  const canaries = new Map(
    [...valuesOf(ofA)].filter(([value]) => isDistinctive(value) && !isIn(others, value)) as [string, string][],
  );
  const known = new Set([...fieldsOf(ofB), ...fieldsOf(ofEmpty)]);
  const onlyA = new Set([...fieldsOf(ofA)].filter((field) => !known.has(field)));
  const own = new Set([...valuesOf(ofB)].flatMap(([value]) => (typeof value === 'boolean' ? [] : [String(value)])));
  const revokedActors: RevokedActors = {
    members: [deactivated, left],
    signer: hmac(jwtSecret),
    sessionOfB: b.sessionId,
  };
  const relationOf = (type: string | undefined) =>
    catalog.tables.find(({ name }) => name === tableOf(catalog, api, type));
  const world: AttackContextParts = {
    ...{ client, api, a, b, empty, ofA, ofB, ofEmpty, sampleRows: ofA.spare ?? new Map(), taken, onlyA, own, canaries },
    watch: watchTables(tables, state, (type) => {
      const table = relationOf(type);
      return table && holding(cast, table, 'a').replaces ? table : undefined;
    }),
    tableOf: (type) => tableOf(catalog, api, type),
    routineOf: (field) => routineOf(catalog, field)?.name,
    explain: explainer(admin, catalog, cast),
  };
  const accounts = { sessionOfA: a.sessionId, secrets: [a.email] };
  return { world, revokedActors, accounts, tables, catalog, problems: whyWithoutRows(catalog, cast) };
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (const item of items) done.push(await work(item));
  return done;
}

/** Whether `text` has the value, or where it is a node id the key in it. */
function isIn(text: string, value: string): boolean {
  const [, ...key] = decode(value) ?? [];
  return text.includes(value) || (key.length > 0 && key.every((part) => text.includes(String(part))));
}

/** @param single the table that a type is read from, where a tenant can have but one row in it. */
function watchTables(
  tables: Tables,
  before: Awaited<ReturnType<Tables['read']>>,
  single: (type: string | undefined) => Relation | undefined,
): Watch {
  // What was read last, until something may have changed again.
  let latest: Awaited<ReturnType<Tables['read']>> | undefined;
  return {
    changeOf: async (member: Member) => {
      latest = await tables.read([member.id ?? '']);
      return difference(before.of(member.id ?? ''), latest.of(member.id ?? ''));
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

/** Without rows that another owns: where there is a leak, they are shown, too. */
function ownRows(holdings: Holdings, own: string, others: string): Holdings {
  const isForeign = (row: Row) =>
    Object.entries(row).some(
      ([name, value]) => name !== 'id' && isDistinctive(value) && !own.includes(value) && others.includes(value),
    );
  return {
    ...holdings,
    rows: new Map([...holdings.rows].map(([type, rows]) => [type, rows.filter((row) => !isForeign(row))])),
  };
}

interface Donating {
  readonly admin: pg.Client;
  readonly catalog: Catalog;
  readonly cast: SeedData;
  readonly tables: Tables;
}

/** Rows that the member could have besides, as the API names their values: there for as long as it takes to read them. */
async function withSpare(
  known: Holdings,
  { admin, catalog, cast, tables }: Donating,
  client: Client,
  api: Api,
  member: Member,
  who: 'a' | 'b',
): Promise<Holdings> {
  for (const table of catalog.tables) {
    const { insertableRows: spares, replaces } = holding(cast, table, who);
    if (replaces) await tables.clear(table, member.id ?? '');
    for (const spare of spares) {
      const columns = table.columns.filter(({ name, generated }) => !generated && spare[name] !== undefined);
      const names = columns.map(({ name }) => admin.escapeIdentifier(name));
      const values = columns.map(({ name }) => literal(admin, catalog, table, name, spare[name] ?? null));
      // One that only fits in place of another spare one is left out.
      await admin
        .query(`insert into ${table.sql} (${names}) overriding system value values (${values}) on conflict do nothing`)
        .catch(() => {});
    }
  }
  const { rows } = await readHoldings(client, api, member);
  await tables.restore();
  const isKnown = (type: string, row: Row) =>
    known.rows.get(type)?.some((other) => JSON.stringify(other) === JSON.stringify(row));
  return {
    ...known,
    spare: new Map([...rows].map(([type, found]) => [type, found.filter((row) => !isKnown(type, row))])),
  };
}

/** The table or view that a type is read from: the field that lists its rows is called as that is. */
function tableOf({ schema, tables, views }: Catalog, api: Api, type = 'API'): string {
  const listed = entrances(api).filter((entrance) => entrance.type.name === type && entrance.many);
  const names = [...listed.map(({ field }) => field.name), `${type}s`, type].map((name) => name.toLowerCase());
  const found = names.flatMap((name) =>
    [...tables, ...views].filter((one) => one.schema === schema && one.relname.replaceAll('_', '') === name),
  );
  return found[0]?.name ?? `(${type})`;
}
