import type pg from 'pg';
import { withClient } from '../dba/client.ts';
import { UsageError } from '../dba/verb.ts';
import type { Attempt } from './attempt.ts';
import { type Cast, holding } from './cast/cast.ts';
import { type CastOptions, makeCast } from './cast/makeCast.ts';
import { type Catalog, isReachable, readCatalog, type Scope } from './catalog.ts';
import { type Control, controls } from './controls.ts';
import { attackSql, type SqlOptions, targetsOf } from './sql/attackSql.ts';
import { Session } from './sql/session.ts';

export interface SqlProof {
  readonly catalog: Catalog;
  readonly attempts: readonly Attempt[];
  readonly controls: readonly Control[];
  readonly unproven: readonly string[];
  readonly owners: Readonly<Record<string, string>>;
}

export interface ProveSqlOptions extends SqlOptions {
  /** Of a superuser, or a role with BYPASSRLS, on a database that may be filled with anything. */
  readonly adminUrl: string;
  readonly scope: Scope;
  readonly cast: CastOptions;
  /** The search_path of the server's connections; what the database has otherwise. */
  readonly searchPath?: string | undefined;
  readonly progress?: (line: string) => void;
}

/** Fills the database with two tenants' rows and attacks one with the other, statement by statement. */
export async function proveSql(options: ProveSqlOptions): Promise<SqlProof> {
  const { adminUrl, scope, progress = () => {} } = options;
  const { catalog, cast } = await connected(adminUrl, options.searchPath, async (client) => {
    await demand(client, scope);
    const found = await readCatalog(client, scope);
    return { catalog: found, cast: await makeCast(client, found, options.cast) };
  });
  // Another connection: in this one the setting was never set, as in a server's that has just begun.
  return connected(adminUrl, options.searchPath, async (client) => {
    const attempts: Attempt[] = [];
    let table = '';
    for await (const attempt of attackSql(client, catalog, cast, options)) {
      if (attempt.table !== table) progress(`${attempts.length} attacks, ${attempt.table}`);
      table = attempt.table;
      attempts.push(attempt);
    }
    const found = await runControls(client, catalog, cast, options);
    return {
      catalog,
      attempts,
      controls: found,
      owners: ownersOf(catalog, cast),
      unproven: unproven(catalog, cast, attempts, found, options),
    };
  });
}

/** What A can do with its own rows, on everything that is attacked. */
export async function runControls(
  client: pg.ClientBase,
  catalog: Catalog,
  cast: Cast,
  options: SqlOptions,
): Promise<Control[]> {
  const session = await Session.open(client, catalog, cast, options);
  const found: Control[] = [];
  for (const target of targetsOf(client, catalog, cast, options))
    for await (const control of controls(session, target)) found.push(control);
  return found;
}

async function demand(client: pg.ClientBase, { schema, role }: Scope): Promise<void> {
  const { rows } = await client.query(
    `select exists (select from pg_namespace where nspname = $1) as schema, exists (select from pg_roles where rolname = $2) as role`,
    [schema, role],
  );
  if (!rows[0].schema) throw new UsageError(`There is no schema ${schema}: say --schema.`);
  if (!rows[0].role) throw new UsageError(`There is no role ${role}: say --role.`);
}

function ownersOf({ tables }: Catalog, { owners }: Cast): Record<string, string> {
  return Object.fromEntries(tables.map(({ oid, name }) => [name, `${owners.get(oid)?.kind}, ${owners.get(oid)?.why}`]));
}

/** Why a run in which nothing leaked may have shown nothing. */
function unproven(
  catalog: Catalog,
  cast: Cast,
  attempts: readonly Attempt[],
  found: readonly Control[],
  { only = () => true }: SqlOptions,
): string[] {
  const attacked = new Set(attempts.filter(({ outcome }) => outcome !== 'not applicable').map(({ table }) => table));
  const relations = [...catalog.tables, ...catalog.views].filter(
    ({ name, schema }) => schema === catalog.schema && only(name),
  );
  if (attempts.length === 0)
    return [
      `Nothing was attacked: there is no table, view or function in ${catalog.schema} that ${catalog.role} could reach.`,
    ];
  return [
    ...relations.filter(({ name }) => !attacked.has(name)).map(({ name }) => `${name} was not attacked.`),
    ...catalog.tables.flatMap((table) => {
      const ownership = cast.owners.get(table.oid);
      if (!only(table.name) || !isReachable(table)) return [];
      if (ownership?.kind === 'unknown') {
        return `${table.name}: whose its rows are cannot be told from the catalog. Give it a column that says so, or a comment: "@isolation shared: <why everybody may write to it>".`;
      }
      const isHash = table.partitionConstraint?.includes('satisfies_hash_partition') || table.kind === 'partitioned';
      if (ownership?.kind !== 'shared' && !isHash && holding(cast, table, 'a').rows.length === 0)
        return `${table.name}: A has no row in it.`;
      return [];
    }),
    ...found
      .filter(({ works, reason }) => !works && !reason)
      .map(
        ({ table, operation, answer }) =>
          `${operation} on ${table} is granted, and A cannot do it with its own row (${answer}): that B cannot proves nothing.`,
      ),
  ];
}

export async function connected<Result>(
  url: string,
  searchPath: string | undefined,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  return withClient(url, async (client) => {
    // Plans are made for a moment: where Postgres has a compiler, it would take most of the time.
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
