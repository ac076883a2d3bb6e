import { join } from 'node:path';
import { inDatabase } from '../../postgres/target/scratch.ts';
import { withClient } from '../../postgres/withClient.ts';
import { type Checkout, copyCheckout } from './checkout.ts';
import type { TestCluster } from './cluster.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

/** A copy of the checkout whose verbs work on a migrated database of the tests' Postgres. */
export interface Workbench {
  readonly checkout: Checkout;
  readonly database: TestDatabase;
  /** Environment of the verbs. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs `npm run db -- …args`. */
  db(...args: string[]): Promise<{ code: number; output: string }>;
  /** Path of a file of the checkout. */
  file(...path: string[]): string;
  remove(): Promise<void>;
}

export async function openWorkbench(): Promise<Workbench> {
  const [checkout, database] = await Promise.all([copyCheckout(), createTestDatabase()]);
  const { example } = JSON.parse(process.env.TEST_CLUSTER ?? '') as TestCluster;
  if (example) {
    const record = 'insert into graphile_migrate.migrations (hash, previous_hash, filename) values ($1, $2, $3)';
    await database.asAdmin(record, [example.hash, example.previous, example.recorded]);
  }
  const shadow = `${new URL(database.ownerUrl).pathname.slice(1)}_shadow`;
  const env = {
    DATABASE_URL_DIRECT: database.ownerUrl,
    SHADOW_DATABASE_URL: inDatabase(database.ownerUrl, shadow),
    ROOT_DATABASE_URL: inDatabase(database.adminUrl, 'postgres'),
  };
  return {
    checkout,
    database,
    env,
    db: (...args) => checkout.run('dba/cli.ts', args, env),
    file: (...path) => join(checkout.directory, ...path),
    remove: async () => {
      await Promise.all([checkout.remove(), database.drop()]);
      await withClient(env.ROOT_DATABASE_URL, (admin) => admin.query(`drop database if exists ${shadow} with (force)`));
    },
  };
}
