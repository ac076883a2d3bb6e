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

/** What the tests of one run share, given to jest's workers in TEST_CLUSTER. */
export interface TestCluster {
  readonly serverUrl: string;
  /** As serverUrl, and never through a pooler. */
  readonly listenUrl: string;
  readonly ownerUrl: string;
  readonly adminUrl: string;
  /**
   * Databases of this run are named `<prefix>_…`. `<prefix>_bare` has the migrations; `<prefix>_template`, which is copied
   * for each file, has the example in any case.
   */
  readonly prefix: string;
  /** Off where the server's connection is a pooler that does not track them. */
  readonly preparedStatements: boolean;
  /** Set if the project has removed the example and the databases of the tests have it nevertheless. */
  readonly example: ExampleMigration | undefined;
}

const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' };

/** Starts the tests' own Postgres in `.data/test`, with an up-to-date template in it. Nothing in it is worth keeping. */
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

/** The same connection to another database. */
export function inDatabase(url: string, database: string): string {
  return url.replace(/[^/]+$/, database);
}

/** Drops the databases of runs that ended without doing so. */
async function dropLeftOvers(admin: pg.Client): Promise<void> {
  const { rows } = await admin.query("select datname from pg_database where datname ~ '^hedgerow_test_[0-9]+_'");
  for (const { datname } of rows) {
    const run = Number(datname.split('_')[2]);
    if (run === process.pid || !isAlive(run)) {
      await admin.query(`drop database if exists ${admin.escapeIdentifier(datname)} with (force)`);
    }
  }
}
