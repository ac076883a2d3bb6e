import { createHash } from 'node:crypto';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { requestCancel } from '../../postgres/internals/cancelRequest.ts';
import { createDatabase, databaseOf, dropLeftOvers, inDatabase, scratchName } from '../../postgres/target/scratch.ts';
import { demandAdmin } from '../../postgres/target/shadow.ts';
import { describeUrl, type Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { withProgress } from '../cli/progress.ts';
import { type Branch, type Branches, checkName, type Exclusive, keptName } from './branch.ts';
import { aloneIn, exclusively } from './connections.ts';
import { growth } from './growth.ts';
import { type BranchDatabase, markBranch, markedBranches } from './mark.ts';
import { copyGrants, copySettings } from './settings.ts';

/**
 * Branches as databases on the target's server. Postgres creates them by copying the files of the target's database, which
 * must have no other connections meanwhile.
 */
export function postgresBranches(target: Target, { DATABASE_URL_LISTEN: listenUrl }: NodeJS.ProcessEnv): Branches {
  const parent = databaseOf(target.ownerUrl);
  const work = <Result>(use: (admin: pg.Client, adminUrl: string) => Promise<Result>) => {
    const adminUrl = besides(demandAdmin(target), parent);
    return withClient(adminUrl, (admin) => use(admin, adminUrl));
  };
  const find = async (admin: pg.Client, name: string) => {
    const branches = await markedBranches(admin, parent);
    const found = branches.find((branch) => branch.name === name);
    if (found) return found;
    const names = branches.map((branch) => branch.name).join(', ');
    throw new UsageError(`Database ${parent} has no branch ${name}. ${names ? `It has ${names}.` : 'It has none.'}`);
  };

  return {
    parent: describeUrl(target.ownerUrl),
    create: (name, exclusive = {}) => work((admin, adminUrl) => create(admin, adminUrl, parent, name, exclusive)),
    list: () => work((admin) => markedBranches(admin, parent)),
    urls: (name) =>
      work(async (admin) => {
        const { database } = await find(admin, name);
        return {
          owner: inDatabase(target.ownerUrl, database),
          authenticator: target.serverUrl && inDatabase(target.serverUrl, database),
          listen: listenUrl && inDatabase(listenUrl, database),
          admin: target.adminUrl && inDatabase(target.adminUrl, database),
        };
      }),
    reset: (name, exclusive = {}) =>
      work(async (admin, adminUrl) => {
        const branch = await find(admin, name);
        // Check before dropping the old copy, so that an error changes nothing.
        await aloneIn(admin, parent, exclusive);
        await drop(admin, adminUrl, branch, exclusive);
        await create(admin, adminUrl, parent, name, exclusive);
      }),
    drop: (name, exclusive = {}) =>
      work(async (admin, adminUrl) => drop(admin, adminUrl, await find(admin, name), exclusive)),
    promote: (name, exclusive = {}) =>
      work(async (admin, adminUrl) => promote(admin, adminUrl, parent, await find(admin, name), exclusive)),
  };
}

/**
 * Creates an empty branch with the settings and grants of the target's database.
 *
 * @returns the name of its database.
 */
export async function emptyBranch(target: Target, name: string): Promise<string> {
  const parent = databaseOf(target.ownerUrl);
  const database = branchDatabase(parent, name);
  await withClient(besides(demandAdmin(target), parent), (admin) =>
    make(admin, parent, name, (fresh) => createDatabase(admin, fresh)),
  );
  return database;
}

/**
 * Creates the database of a branch under a scratch name, which the next call drops if this one is interrupted. Then
 * renames and marks the database in one transaction.
 */
async function make(
  admin: pg.Client,
  parent: string,
  name: string,
  createAs: (fresh: string) => Promise<void>,
): Promise<void> {
  await dropLeftOvers(admin);
  const fresh = scratchName();
  const database = branchDatabase(parent, name);
  try {
    await createAs(fresh);
    await copyGrants(admin, parent, fresh);
    await copySettings(admin, parent, fresh);
    await admin.query('begin');
    await admin.query(`alter database ${admin.escapeIdentifier(fresh)} rename to ${admin.escapeIdentifier(database)}`);
    await markBranch(admin, database, name, parent);
    await admin.query('commit');
  } catch (error) {
    await admin.query('rollback');
    await admin.query(`drop database if exists ${admin.escapeIdentifier(fresh)}`);
    throw error;
  }
}

async function create(
  admin: pg.Client,
  adminUrl: string,
  parent: string,
  name: string,
  exclusive: Exclusive,
): Promise<Branch> {
  checkName(name);
  const database = branchDatabase(parent, name);
  const taken = await admin.query('select from pg_database where datname = $1', [database]);
  if (taken.rowCount) throw new UsageError(`A database ${database} already exists: choose another name.`);
  await aloneIn(admin, parent, exclusive);
  const { rows } = await admin.query('select pg_database_size($1::name)', [parent]);
  const whole = Number(rows[0].pg_database_size);
  await withProgress(
    `Copying database ${parent}`,
    () =>
      orCancelled(admin, () =>
        make(admin, parent, name, (fresh) =>
          exclusively(adminUrl, [parent], exclusive, () => createDatabase(admin, fresh, parent)),
        ),
      ),
    await growth(adminUrl, whole),
  );
  const made = (await markedBranches(admin, parent)).find((branch) => branch.name === name);
  return made as Branch;
}

/** Cancels `work` on a signal. Otherwise Postgres would continue to copy after this process has ended. */
async function orCancelled(admin: pg.Client, work: () => Promise<void>): Promise<void> {
  const cancel = () => requestCancel(admin);
  process.on('SIGINT', cancel).on('SIGTERM', cancel).on('SIGHUP', cancel);
  try {
    await work();
  } finally {
    process.off('SIGINT', cancel).off('SIGTERM', cancel).off('SIGHUP', cancel);
  }
}

async function drop(
  admin: pg.Client,
  adminUrl: string,
  { database }: BranchDatabase,
  exclusive: Exclusive,
): Promise<void> {
  await aloneIn(admin, database, exclusive);
  await exclusively(adminUrl, [database], exclusive, () =>
    admin.query(`drop database ${admin.escapeIdentifier(database)}`),
  );
}

/** Renames both databases in one transaction, so that a new connection always finds one of them. */
async function promote(
  admin: pg.Client,
  adminUrl: string,
  parent: string,
  branch: BranchDatabase,
  exclusive: Exclusive,
): Promise<string> {
  const kept = keptName((await markedBranches(admin, parent)).map(({ name }) => name));
  const rename = (from: string, to: string) =>
    admin.query(`alter database ${admin.escapeIdentifier(from)} rename to ${admin.escapeIdentifier(to)}`);
  await aloneIn(admin, branch.database, exclusive);
  await aloneIn(admin, parent, exclusive);
  await exclusively(adminUrl, [parent, branch.database], exclusive, async () => {
    await admin.query('begin');
    await rename(parent, branchDatabase(parent, kept));
    await rename(branch.database, parent);
    await admin.query(`comment on database ${admin.escapeIdentifier(parent)} is null`);
    await markBranch(admin, branchDatabase(parent, kept), kept, parent);
    await admin.query('commit');
  });
  return kept;
}

/** Returns the database name of a branch. Postgres limits names to 63 bytes; a long parent name becomes a hash. */
export function branchDatabase(parent: string, name: string): string {
  const database = `${parent}_branch_${name}`;
  if (Buffer.byteLength(database) <= 63) return database;
  return `${createHash('sha256').update(parent).digest('hex').slice(0, 16)}_branch_${name}`;
}

/** Returns the admin's connection string, but never to `database`, which is about to be copied or renamed. */
function besides(adminUrl: string, database: string): string {
  return databaseOf(adminUrl) === database ? inDatabase(adminUrl, 'postgres') : adminUrl;
}
