import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { isAlive } from '../embedded/lock.ts';
import { withClient } from '../withClient.ts';
import { demandAdmin } from './shadow.ts';
import { describeUrl, type Target } from './target.ts';

/** Comment that marks a database as disposable. */
const mark = 'hedgerow scratch';

/** Identifies this machine in database names, because process ids are unique on one machine only. */
export const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** Returns `url` with another database. */
export function inDatabase(url: string, database: string): string {
  const changed = new URL(url);
  // Encode as node-postgres decodes: it keeps encoded delimiters such as %2B.
  changed.pathname = `/${encodeURI(database).replace(/[?#]/g, encodeURIComponent)}`;
  return changed.href;
}

/** Returns the name of the database in `url`. */
export function databaseOf(url: string): string {
  return decodeURI(new URL(url).pathname.slice(1));
}

/**
 * Creates a scratch database, passes it to `use`, and drops it in any case. Its owner is hedgerow_owner. A comment marks it,
 * so that the prover, which destroys data, accepts it.
 *
 * @param template the database to copy, which must have no connections; without it, the scratch database is empty.
 * @throws UsageError without ROOT_DATABASE_URL.
 */
export async function withScratch<Result>(
  target: Target,
  use: (scratch: Target) => Promise<Result>,
  template?: string,
): Promise<Result> {
  const adminUrl = demandAdmin(target);
  const name = scratchName();
  await withClient(adminUrl, async (admin) => {
    await dropLeftOvers(admin);
    await createDatabase(admin, name, template);
    await admin.query(`comment on database ${admin.escapeIdentifier(name)} is ${admin.escapeLiteral(mark)}`);
  });
  const ownerUrl = inDatabase(target.ownerUrl, name);
  try {
    return await use({
      name: `scratch ${describeUrl(ownerUrl)}`,
      ownerUrl,
      shadowUrl: undefined,
      adminUrl: inDatabase(adminUrl, name),
      serverUrl: target.serverUrl && inDatabase(target.serverUrl, name),
      close: async () => {},
    });
  } finally {
    await withClient(adminUrl, async (admin) => {
      await disconnected(admin, name);
      await admin.query(`drop database if exists ${admin.escapeIdentifier(name)} with (force)`);
    });
  }
}

/**
 * Waits up to 5 s until a database has no connections. graphile-migrate keeps its connections for some time, and ends the
 * process when one of them loses its server.
 */
async function disconnected(admin: pg.Client, database: string): Promise<void> {
  const connected = `select from pg_stat_activity where datname = $1 and backend_type = 'client backend'`;
  const until = performance.now() + 5000;
  while (performance.now() < until && (await admin.query(connected, [database])).rowCount) await sleep(50);
}

/** Returns a name that identifies a scratch database of this process, even before its comment exists. */
export function scratchName(): string {
  return `hedgerow_scratch_${machine}_${process.pid}_${randomBytes(4).toString('hex')}`;
}

/** Creates a database of hedgerow_owner, empty or as a copy. Only the server's role may connect to it. */
export async function createDatabase(admin: pg.Client, name: string, template?: string): Promise<void> {
  const database = admin.escapeIdentifier(name);
  const create = `create database ${database} owner hedgerow_owner`;
  if (template === undefined) await admin.query(create);
  else await copyFiles(admin, `${create} template ${admin.escapeIdentifier(template)} strategy file_copy`);
  // A copy does not inherit the template's grants on the database itself.
  await admin.query(`revoke all on database ${database} from public`);
  await admin.query(`grant connect on database ${database} to hedgerow_authenticator`);
}

/** Runs `create`. Since Postgres 18, the copy shares its blocks with the template if the file system supports it. */
async function copyFiles(admin: pg.Client, create: string): Promise<void> {
  const { rowCount } = await admin.query(
    "select set_config(name, 'clone', false) from pg_settings where name = 'file_copy_method' and 'clone' = any(enumvals)",
  );
  if (!rowCount) return void (await admin.query(create));
  try {
    await admin.query(create);
  } catch (error) {
    // "could not clone file": the file system does not support it. Other errors have other codes.
    if ((error as { code?: unknown }).code !== 'XX000') throw error;
    await admin.query('reset file_copy_method');
    await admin.query(create);
  }
}

/** Whether `client` is connected to a scratch database. */
export async function isScratch(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query(
    `select shobj_description(oid, 'pg_database') = $1 as scratch from pg_database where datname = current_database()`,
    [mark],
  );
  return rows[0]?.scratch === true;
}

/** Drops scratch databases of processes that have ended, including databases without the comment. */
export async function dropLeftOvers(admin: pg.Client): Promise<void> {
  const { rows } = await admin.query(
    `select datname, split_part(datname, '_', 4)::int as pid from pg_database
     where datname ~ $1 and coalesce(shobj_description(oid, 'pg_database'), $2) = $2`,
    [`^hedgerow_scratch_${machine}_[0-9]{1,9}_[0-9a-f]{8}$`, mark],
  );
  for (const { datname, pid } of rows) {
    if (!isAlive(pid)) await admin.query(`drop database if exists ${admin.escapeIdentifier(datname)} with (force)`);
  }
}
