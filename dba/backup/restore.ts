import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { provision } from '../../postgres/target/provision.ts';
import { databaseOf, inDatabase } from '../../postgres/target/scratch.ts';
import { demandAdmin } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { aloneIn } from '../branches/connections.ts';
import { dropLeftOvers, passingName } from '../branches/leftOvers.ts';
import { branchDatabase, emptyBranch, postgresBranches } from '../branches/postgres.ts';
import { loadBackup } from './load.ts';
import type { Manifest } from './manifest.ts';
import { adminInside } from './server.ts';

/** What a restore finds: whether Hedgerow's roles and the database are there, and whether there is anything in it. */
export interface Found {
  readonly prepared: boolean;
  readonly empty: boolean;
}

/** @throws UsageError without ROOT_DATABASE_URL. */
export async function lookAt(target: Target): Promise<Found> {
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

/** Whether a database is as it was made: no table, type, function or schema, and no large object. */
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

/** Makes roles and database as `init` does, on a server that has never seen Hedgerow: a backup has no roles in it. */
async function prepare(target: Target): Promise<void> {
  const { ownerUrl, serverUrl } = target;
  if (!serverUrl) {
    throw new UsageError(
      'Roles or database are missing here, and DATABASE_URL has to say which password hedgerow_authenticator shall have: set it, or run `npm run db -- init` first.',
    );
  }
  const passwordOf = (url: string) => decodeURIComponent(new URL(url).password);
  const passwords = { owner: passwordOf(ownerUrl), authenticator: passwordOf(serverUrl) };
  await provision({ adminUrl: demandAdmin(target), databases: [databaseOf(ownerUrl)], passwords });
}

/**
 * Puts a backup in the place of the target's database: fills a database beside it, compares it with the manifest, and
 * lets the two change names. Until then nothing happens to what is there.
 *
 * @returns the branch that the database is from now on; undefined where it was empty, and is gone.
 */
export async function restoreBackup(
  target: Target,
  { prepared, empty }: Found,
  { file, manifest, disconnect }: { file: string; manifest: Manifest; disconnect: boolean },
): Promise<string | undefined> {
  const adminUrl = demandAdmin(target);
  const parent = databaseOf(target.ownerUrl);
  const branches = postgresBranches(target, process.env);
  if (!prepared) await prepare(target);
  await dropLeftOvers(branches, 'restore');
  const name = passingName('restore');
  await withClient(adminUrl, async (admin: pg.Client) => aloneIn(admin, parent, { disconnect }));
  const database = await emptyBranch(target, name);
  try {
    const differences = await loadBackup(file, manifest, inDatabase(adminUrl, database));
    if (differences.length > 0) {
      throw new UsageError(
        `What was restored is not what the manifest tells of, and was dropped:\n  ${differences.join('\n  ')}`,
      );
    }
    const kept = await branches.promote(name, { disconnect });
    // It was, when this began; who came first since then has lost nothing.
    if (!empty || !(await isEmpty(inDatabase(adminUrl, branchDatabase(parent, kept))))) return kept;
    await branches.drop(kept, { disconnect });
    return undefined;
  } catch (error) {
    const left = (await branches.list()).some((branch) => branch.name === name);
    if (left) await branches.drop(name, { disconnect: true });
    throw error;
  }
}
