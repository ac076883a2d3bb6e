import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { isAlive } from '../embedded/lock.ts';
import { withClient } from '../withClient.ts';
import { demandAdmin } from './shadow.ts';
import { describeUrl, type Target } from './target.ts';

/** What the comment on a database says that may be filled with anything and dropped. */
const mark = 'hedgerow scratch';

/** Process ids mean something on their own machine only. */
export const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** The same connection to another database. */
export function inDatabase(url: string, database: string): string {
  const changed = new URL(url);
  // As node-postgres reads it: it does not decode what stands for a delimiter, such as %2B.
  changed.pathname = `/${encodeURI(database).replace(/[?#]/g, encodeURIComponent)}`;
  return changed.href;
}

/** The name of the database that `url` connects to. */
export function databaseOf(url: string): string {
  return decodeURI(new URL(url).pathname.slice(1));
}

/**
 * Makes a database, hands it to `use`, and drops it however that ends. It belongs to hedgerow_owner and is marked, so
 * that what destroys data (the prover) agrees to work on it.
 *
 * @param template the database to copy, which nobody may be connected to; without one the scratch database is empty.
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
 * Waits until nobody is connected to a database, for 5 s at most. graphile-migrate keeps its connections for some time, and
 * ends the process when one of them loses its server.
 */
async function disconnected(admin: pg.Client, database: string): Promise<void> {
  const connected = `select from pg_stat_activity where datname = $1 and backend_type = 'client backend'`;
  const until = performance.now() + 5000;
  while (performance.now() < until && (await admin.query(connected, [database])).rowCount) await sleep(50);
}

/** A name that tells, while a database has no other mark, that it goes when this process has ended. */
export function scratchName(): string {
  return `hedgerow_scratch_${machine}_${process.pid}_${randomBytes(4).toString('hex')}`;
}

/** Creates a database of hedgerow_owner's that only the server's role may connect to, empty or as a copy. */
export async function createDatabase(admin: pg.Client, name: string, template?: string): Promise<void> {
  const database = admin.escapeIdentifier(name);
  const create = `create database ${database} owner hedgerow_owner`;
  if (template === undefined) await admin.query(create);
  else await copyFiles(admin, `${create} template ${admin.escapeIdentifier(template)} strategy file_copy`);
  // A copy does not have its template's grants on the database itself.
  await admin.query(`revoke all on database ${database} from public`);
  await admin.query(`grant connect on database ${database} to hedgerow_authenticator`);
}

/** Runs `create`; since Postgres 18 the copy shares its blocks with the template where the file system can do that. */
async function copyFiles(admin: pg.Client, create: string): Promise<void> {
  const { rowCount } = await admin.query(
    "select set_config(name, 'clone', false) from pg_settings where name = 'file_copy_method' and 'clone' = any(enumvals)",
  );
  if (!rowCount) return void (await admin.query(create));
  try {
    await admin.query(create);
  } catch (error) {
    // "could not clone file": this file system cannot. What other reasons there are have codes of their own.
    if ((error as { code?: unknown }).code !== 'XX000') throw error;
    await admin.query('reset file_copy_method');
    await admin.query(create);
  }
}

/** Whether the database that `client` is connected to was made to be filled with anything and dropped. */
export async function isScratch(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query(
    `select shobj_description(oid, 'pg_database') = $1 as scratch from pg_database where datname = current_database()`,
    [mark],
  );
  return rows[0]?.scratch === true;
}

/** Drops the scratch databases of processes that ended without doing so, perhaps before they had marked them. */
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
