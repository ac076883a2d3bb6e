import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { withClient } from '../../postgres/withClient.ts';
import { inDatabase, type TestCluster } from './cluster.ts';

/** The database of one test file: a copy of the migrated template. */
export interface TestDatabase {
  /** Connection string of hedgerow_authenticator, through the pooler if there is one. */
  readonly serverUrl: string;
  /** The same as serverUrl, but never through the pooler. */
  readonly listenUrl: string;
  /** Connection string of hedgerow_owner. */
  readonly ownerUrl: string;
  /** Connection string of the superuser. */
  readonly adminUrl: string;
  readonly preparedStatements: boolean;
  /** Runs a statement as the superuser, who sees all rows. */
  asAdmin<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Runs statements as hedgerow_owner, to whom row-level security applies. */
  asOwner(text: string): Promise<unknown>;
  drop(): Promise<void>;
}

/** Opens a database and a connection of the superuser. Both close after the tests of the file. */
export async function openTestDatabase(): Promise<{ readonly db: TestDatabase; readonly client: pg.Client }> {
  const db = await createTestDatabase();
  const client = new pg.Client({ connectionString: db.adminUrl });
  await client.connect();
  afterAll(async () => {
    await client.end();
    await db.drop();
  });
  return { db, client };
}

/**
 * Creates a test database.
 *
 * @param template `bare` has only the migrations, so no example tables if the project has removed them.
 */
export async function createTestDatabase(template: 'template' | 'bare' = 'template'): Promise<TestDatabase> {
  const cluster = JSON.parse(process.env.TEST_CLUSTER ?? '') as TestCluster;
  const name = `${cluster.prefix}_${randomBytes(6).toString('hex')}`;
  await withClient(cluster.adminUrl, async (client) => {
    // Unlike file_copy, wal_log needs no checkpoint, which would write the databases of all other tests too.
    await client.query(
      `create database ${name} template ${cluster.prefix}_${template} owner hedgerow_owner strategy wal_log`,
    );
    // Postgres does not copy the grants on the database itself.
    await client.query(
      `revoke all on database ${name} from public; grant connect on database ${name} to hedgerow_authenticator`,
    );
  });
  const admin = new pg.Pool({ connectionString: inDatabase(cluster.adminUrl, name), max: 2 });
  admin.on('error', () => {});
  return {
    serverUrl: inDatabase(cluster.serverUrl, name),
    listenUrl: inDatabase(cluster.listenUrl, name),
    ownerUrl: inDatabase(cluster.ownerUrl, name),
    adminUrl: inDatabase(cluster.adminUrl, name),
    preparedStatements: cluster.preparedStatements,
    asAdmin: async (text, values = []) => (await admin.query(text, values)).rows,
    asOwner: (text) => withClient(inDatabase(cluster.ownerUrl, name), (owner) => owner.query(text)),
    drop: async () => {
      await admin.end();
      await withClient(cluster.adminUrl, (client) => client.query(`drop database ${name} with (force)`));
    },
  };
}
