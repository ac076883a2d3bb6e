import type pg from 'pg';
import { UsageError } from '../common/usageError.ts';
import { withClient } from '../postgres/withClient.ts';
import type { Attempt } from './attempt.ts';
import { type Catalog, readCatalog, type Scope } from './catalog.ts';
import { whyClaimsMatter } from './claims.ts';
import { type Control, controls } from './controls.ts';
import { describeMissing, missingSettings } from './missingSettings.ts';
import { type NotJudged, notJudged } from './notJudged.ts';
import { whyUnreadable } from './readable.ts';
import { readReaders } from './readers.ts';
import { createSeedData, type SeedDataOptions } from './seedData/createSeedData.ts';
import type { SeedData } from './seedData/seedData.ts';
import { whySessionMatters } from './sessionValues.ts';
import { AttackSession } from './sql/attackSession.ts';
import { attackSql, type SqlOptions, targetsOf } from './sql/attackSql.ts';
import { functionControls } from './sql/functionControls.ts';
import { ownerErrorsOf } from './sql/refusals.ts';
import { unproven as whyUnproven, withoutControls } from './unproven.ts';

export interface SqlProof {
  readonly catalog: Catalog;
  readonly attempts: readonly Attempt[];
  readonly controls: readonly Control[];
  readonly unproven: readonly string[];
  readonly notJudged: readonly NotJudged[];
  readonly owners: Readonly<Record<string, string>>;
}

export interface ProveSqlOptions extends SqlOptions {
  /** Connects as a superuser or a role with BYPASSRLS, to a database that the prover may write to. */
  readonly adminUrl: string;
  readonly scope: Scope;
  readonly seedData: SeedDataOptions;
  /** The search_path of the server's connections; defaults to that of the database. */
  readonly searchPath?: string | undefined;
  readonly progress?: (line: string) => void;
}

/** Creates rows for two tenants, A and B, and runs every SQL attack of B on A. */
export async function proveSql(options: ProveSqlOptions): Promise<SqlProof> {
  const { adminUrl, progress = () => {} } = options;
  const prepared = await connected(adminUrl, options.searchPath, (client) => prepare(client, options));
  const { catalog, seedData, unreadable, missing } = prepared;
  const owners = ownersOf(catalog, seedData);
  const leftOut = notJudged(catalog, seedData, options);
  if (unreadable !== undefined) {
    return { catalog, attempts: [], controls: [], owners, unproven: [unreadable, ...missing], notJudged: leftOut };
  }
  const ownerErrors = ownerErrorsOf(prepared.controls);
  // A new connection, in which the setting has never been set, like a new connection of the server.
  return connected(adminUrl, options.searchPath, async (client) => {
    const attempts: Attempt[] = [];
    let table = '';
    for await (const attempt of attackSql(client, catalog, seedData, { ...options, ownerErrors })) {
      if (attempt.table !== table) progress(`${attempts.length} attacks, ${attempt.table}`);
      table = attempt.table;
      attempts.push(attempt);
    }
    const sentences = [...missing, ...whyUnproven(catalog, seedData, attempts, prepared.controls, options)];
    const unproven = withoutControls(sentences, prepared.controls);
    return { catalog, attempts, controls: prepared.controls, owners, unproven, notJudged: leftOut };
  });
}

/** Creates the rows and runs the controls, on one connection. */
async function prepare(client: pg.Client, options: ProveSqlOptions) {
  const { scope } = options;
  await requireSchemaAndRole(client, scope);
  const catalog = await readCatalog(client, scope);
  const readers = await readReaders(client, catalog);
  const missing = [
    ...(await missingSettings(client, catalog, readers)).map(describeMissing),
    ...whyClaimsMatter(catalog, readers),
    ...whySessionMatters(catalog, readers),
  ];
  const seedData = await createSeedData(client, catalog, options.seedData);
  const controls = await runControls(client, catalog, seedData, options);
  return {
    catalog,
    seedData,
    controls,
    missing,
    unreadable: await whyUnreadable(client, catalog, seedData.a.id, controls),
  };
}

/** Runs the controls: A's operations on its own rows, on every attacked table, view and function. */
export async function runControls(
  client: pg.ClientBase,
  catalog: Catalog,
  seedData: SeedData,
  options: SqlOptions,
): Promise<Control[]> {
  const session = await AttackSession.open(client, catalog, seedData, options);
  const found: Control[] = [];
  for (const target of targetsOf(client, catalog, seedData, options))
    for await (const control of controls(session, target)) found.push(control);
  for await (const control of functionControls(session, options)) found.push(control);
  return found;
}

async function requireSchemaAndRole(client: pg.ClientBase, { schema, role }: Scope): Promise<void> {
  const { rows } = await client.query(
    `select exists (select from pg_namespace where nspname = $1) as schema, exists (select from pg_roles where rolname = $2) as role`,
    [schema, role],
  );
  if (!rows[0].schema) throw new UsageError(`There is no schema ${schema}. Name the API's schema with --schema.`);
  if (!rows[0].role) throw new UsageError(`There is no role ${role}. Name the tenants' role with --role.`);
}

function ownersOf({ tables }: Catalog, { owners }: SeedData): Record<string, string> {
  return Object.fromEntries(tables.map(({ oid, name }) => [name, `${owners.get(oid)?.kind}, ${owners.get(oid)?.why}`]));
}

export async function connected<Result>(
  url: string,
  searchPath: string | undefined,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  return withClient(url, async (client) => {
    // Each plan runs once, so JIT compilation would cost more than it saves.
    await client.query(
      "set jit = off; set datestyle = iso; set intervalstyle = postgres; set timezone = 'UTC'; set statement_timeout = '60s'",
    );
    if (searchPath !== undefined) await client.query("select set_config('search_path', $1, false)", [searchPath]);
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  });
}
