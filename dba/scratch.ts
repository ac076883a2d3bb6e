import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type pg from 'pg';
import { isAlive } from '../server/database/embedded/lock.ts';
import { withClient } from './client.ts';
import { demandAdmin } from './shadow.ts';
import { describeUrl, type Target } from './target.ts';

/** What the comment on a database says that may be filled with anything and dropped. */
const mark = 'hedgerow scratch';

/** Process ids mean something on their own machine only. */
const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** The same connection to another database. */
export function inDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
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
  const name = `hedgerow_scratch_${machine}_${process.pid}_${randomBytes(4).toString('hex')}`;
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
    await withClient(adminUrl, (admin) =>
      admin.query(`drop database if exists ${admin.escapeIdentifier(name)} with (force)`),
    );
  }
}

/** Creates a database of hedgerow_owner's that only the server's role may connect to, empty or as a copy. */
export async function createDatabase(admin: pg.Client, name: string, template?: string): Promise<void> {
  const database = admin.escapeIdentifier(name);
  const copy = template === undefined ? '' : ` template ${admin.escapeIdentifier(template)} strategy file_copy`;
  await admin.query(`create database ${database} owner hedgerow_owner${copy}`);
  // A copy does not have its template's grants on the database itself.
  await admin.query(`revoke all on database ${database} from public`);
  await admin.query(`grant connect on database ${database} to hedgerow_authenticator`);
}

/** Whether the database that `client` is connected to was made to be filled with anything and dropped. */
export async function isScratch(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query(
    `select shobj_description(oid, 'pg_database') = $1 as scratch from pg_database where datname = current_database()`,
    [mark],
  );
  return rows[0]?.scratch === true;
}

/** Drops the scratch databases of processes that ended without doing so. */
async function dropLeftOvers(admin: pg.Client): Promise<void> {
  const { rows } = await admin.query(
    `select datname, split_part(datname, '_', 4)::int as pid from pg_database
     where datname ~ $1 and shobj_description(oid, 'pg_database') = $2`,
    [`^hedgerow_scratch_${machine}_[0-9]+_`, mark],
  );
  for (const { datname, pid } of rows) {
    if (!isAlive(pid)) await admin.query(`drop database if exists ${admin.escapeIdentifier(datname)} with (force)`);
  }
}
