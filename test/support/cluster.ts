import { join } from 'node:path';
import { migrate } from 'graphile-migrate';
import pg from 'pg';
import { migrateSettings, root } from '../../dba/migrateSettings.ts';
import { type EmbeddedTarget, openEmbedded } from '../../dba/target.ts';

/** The database that every test's database is a copy of: migrated once per run, then left alone. */
export const templateDatabase = 'hedgerow_test_template';

/** Starts the tests' own Postgres in `.data/test`, with an up-to-date template in it. Nothing in it is worth keeping. */
export async function openTestCluster(): Promise<EmbeddedTarget> {
  const cluster = await openEmbedded(join(root, '.data', 'test'), {
    ...{ fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
    ...{ max_connections: '200', shared_preload_libraries: '' },
  });
  const admin = new pg.Client({ connectionString: cluster.adminUrl });
  await admin.connect();
  // Left by runs that were killed.
  const { rows } = await admin.query("select datname from pg_database where datname like 'hedgerow\\_test\\_%'");
  for (const { datname } of rows) await admin.query(`drop database ${admin.escapeIdentifier(datname)} with (force)`);
  await admin.query(`create database ${templateDatabase} owner hedgerow_owner`);
  await admin.end();
  const ownerUrl = cluster.ownerUrl.replace(/[^/]+$/, templateDatabase);
  await migrate(await migrateSettings({ ownerUrl, shadowUrl: undefined, adminUrl: cluster.adminUrl }, () => {}));
  return cluster;
}
