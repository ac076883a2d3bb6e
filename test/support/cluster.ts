import { join } from 'node:path';
import { migrate } from 'graphile-migrate';
import type pg from 'pg';
import { root } from '../../common/root.ts';
import { isAlive } from '../../postgres/embedded/lock.ts';
import { closeMigrateConnections } from '../../postgres/internals/migrateConnections.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { type EmbeddedTarget, openEmbedded } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { addExample, type ExampleMigration } from './example.ts';

/** The database cluster that all tests of a run share. TEST_CLUSTER passes it to jest's workers. */
export interface TestCluster {
  readonly serverUrl: string;
  /** The same as serverUrl, but never through a pooler. */
  readonly listenUrl: string;
  readonly ownerUrl: string;
  readonly adminUrl: string;
  /**
   * Prefix of the databases of this run. `<prefix>_bare` has the migrations. `<prefix>_template`, which each test file
   * copies, always has the example tables too.
   */
  readonly prefix: string;
  /** False if the server connects through a pooler that does not track prepared statements. */
  readonly preparedStatements: boolean;
  /** The example's migration, if the project's own migrations have removed the example. */
  readonly example: ExampleMigration | undefined;
}

const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' };

/** Starts the tests' own Postgres in `.data/test` with a migrated template. Its data is disposable. */
export async function openTestCluster(
  directory = join(root, '.data', 'test'),
  serverSettings: Readonly<Record<string, string>> = settings,
): Promise<TestCluster & Pick<EmbeddedTarget, 'close'>> {
  const { serverUrl, ownerUrl, adminUrl, close } = await openEmbedded(directory, serverSettings);
  const prefix = `hedgerow_test_${process.pid}`;
  const template = `${prefix}_template`;
  const bare = `${prefix}_bare`;
  await withClient(adminUrl, async (admin) => {
    await dropLeftOvers(admin);
    await admin.query(`create database ${bare} owner hedgerow_owner`);
  });
  const target = { ownerUrl: inDatabase(ownerUrl, bare), shadowUrl: undefined, adminUrl };
  await migrate(await migrateSettings(target, () => {}));
  await closeMigrateConnections();
  await withClient(adminUrl, (admin) =>
    admin.query(`create database ${template} template ${bare} owner hedgerow_owner strategy file_copy`),
  );
  const example = await addExample(inDatabase(ownerUrl, template), directory);
  return { serverUrl, listenUrl: serverUrl, ownerUrl, adminUrl, prefix, preparedStatements: true, example, close };
}

/** Returns the connection string with another database name. */
export function inDatabase(url: string, database: string): string {
  return url.replace(/[^/]+$/, database);
}

/** Drops databases that ended runs have left behind. */
async function dropLeftOvers(admin: pg.Client): Promise<void> {
  const { rows } = await admin.query("select datname from pg_database where datname ~ '^hedgerow_test_[0-9]+_'");
  for (const { datname } of rows) {
    const run = Number(datname.split('_')[2]);
    if (run === process.pid || !isAlive(run)) {
      await admin.query(`drop database if exists ${admin.escapeIdentifier(datname)} with (force)`);
    }
  }
}
