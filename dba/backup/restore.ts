import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { provision } from '../../postgres/target/provision.ts';
import { databaseOf, inDatabase } from '../../postgres/target/scratch.ts';
import { demandAdmin } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { dropAbandoned, temporaryName } from '../branches/branch.ts';
import { aloneIn } from '../branches/connections.ts';
import { branchDatabase, emptyBranch, postgresBranches } from '../branches/postgres.ts';
import { loadBackup } from './load.ts';
import type { Manifest } from './manifest.ts';
import { adminInside } from './server.ts';

/** The state of the target before a restore. */
export interface DatabaseState {
  /** Whether Hedgerow's roles and the database exist. */
  readonly prepared: boolean;
  /** Whether the database is empty or missing. */
  readonly empty: boolean;
}

/** @throws UsageError if ROOT_DATABASE_URL is not set. */
export async function readState(target: Target): Promise<DatabaseState> {
  const prepared = await withClient(demandAdmin(target), async (admin) => {
    const { rows } = await admin.query<{ prepared: boolean }>(
      `select exists (select from pg_database where datname = $1)
         and count(*) = 4 as prepared
       from pg_roles where rolname in ('hedgerow_owner', 'hedgerow_authenticator', 'hedgerow_tenant', 'hedgerow_auth')`,
      [databaseOf(target.ownerUrl)],
    );
    return rows[0]?.prepared === true;
  });
  if (!prepared) return { prepared, empty: true };
  return { prepared, empty: await isEmpty(adminInside(target)) };
}

/** Whether a database has no tables, types, functions, schemas or large objects of its own. */
async function isEmpty(adminUrl: string): Promise<boolean> {
  return withClient(adminUrl, async (admin) => {
    const { rows } = await admin.query<{ empty: boolean }>(
      `select not exists (
         select from (
           select 'pg_class'::regclass as class, oid, relnamespace as schema from pg_class
           union all select 'pg_proc'::regclass, oid, pronamespace from pg_proc
           union all select 'pg_type'::regclass, oid, typnamespace from pg_type
           union all select 'pg_namespace'::regclass, oid, oid from pg_namespace where nspname <> 'public'
         ) o join pg_namespace n on n.oid = o.schema
         where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
           and not exists (select from pg_depend d where d.classid = o.class and d.objid = o.oid and d.deptype = 'e')
       ) and not exists (select from pg_largeobject_metadata) as empty`,
    );
    return rows[0]?.empty === true;
  });
}

/** Creates roles and database as `init` does, because a backup contains no roles and a new server has none. */
async function prepare(target: Target): Promise<void> {
  const { ownerUrl, serverUrl } = target;
  if (!serverUrl) {
    throw new UsageError(
      'The roles or the database do not exist on this server. Run `npm run db -- init` first, or set DATABASE_URL, which supplies the password of hedgerow_authenticator.',
    );
  }
  const passwordOf = (url: string) => decodeURIComponent(new URL(url).password);
  const passwords = { owner: passwordOf(ownerUrl), authenticator: passwordOf(serverUrl) };
  await provision({ adminUrl: demandAdmin(target), databases: [databaseOf(ownerUrl)], passwords });
}

/**
 * Replaces the target's database with a backup:
 *
 * 1. Creates the roles and the database if they are missing.
 * 2. Restores the backup into a temporary branch.
 * 3. Compares the branch with the manifest.
 * 4. Promotes the branch. Until then the current database stays as it is.
 * 5. Drops the replaced database if it was empty.
 *
 * On an error it drops the temporary branch.
 *
 * @returns the name of the branch that keeps the replaced database; `undefined` if that was empty and is dropped.
 * @throws UsageError if the restored data differs from the manifest.
 */
export async function restoreBackup(
  target: Target,
  { prepared, empty }: DatabaseState,
  { file, manifest, disconnect }: { file: string; manifest: Manifest; disconnect: boolean },
): Promise<string | undefined> {
  const adminUrl = demandAdmin(target);
  const parent = databaseOf(target.ownerUrl);
  const branches = postgresBranches(target, process.env);
  if (!prepared) await prepare(target);
  await dropAbandoned(branches, 'restore');
  const name = temporaryName('restore');
  await withClient(adminUrl, async (admin: pg.Client) => aloneIn(admin, parent, { disconnect }));
  const database = await emptyBranch(target, name);
  try {
    const differences = await loadBackup(file, manifest, inDatabase(adminUrl, database));
    if (differences.length > 0) {
      throw new UsageError(
        `The restored data differs from the manifest and was dropped:\n  ${differences.join('\n  ')}`,
      );
    }
    const kept = await branches.promote(name, { disconnect });
    // Check again: data may have been written to the empty database during the restore.
    if (!empty || !(await isEmpty(inDatabase(adminUrl, branchDatabase(parent, kept))))) return kept;
    await branches.drop(kept, { disconnect });
    return undefined;
  } catch (error) {
    const left = (await branches.list()).some((branch) => branch.name === name);
    if (left) await branches.drop(name, { disconnect: true });
    throw error;
  }
}
