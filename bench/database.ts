import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrate } from 'graphile-migrate';
import pg from 'pg';
import { root } from '../common/root.ts';
import { UsageError } from '../common/usageError.ts';
import { migrateSettings } from '../postgres/migrate/migrateSettings.ts';
import { type EmbeddedTarget, openEmbedded } from '../postgres/target/target.ts';
import { withClient } from '../postgres/withClient.ts';
import { fill } from './fill.ts';
import type { Report } from './progress.ts';

/** The benchmark's own Postgres, in `.data/bench`. */
export interface BenchCluster {
  readonly version: string;
  /** Process id of the postmaster, whose children serve the connections. */
  readonly postmaster: number;
  /** Opens a migrated database with `rows` todos. Fills it on first use and keeps it for later runs. */
  database(rows: number, report: Report, contents?: Contents): Promise<BenchDatabase>;
  close(): Promise<void>;
}

export interface BenchDatabase {
  readonly rows: number;
  /** Connection string of hedgerow_authenticator. */
  readonly serverUrl: string;
  /** A connection of the superuser, who sees every row. */
  readonly admin: pg.Client;
}

/** How to fill a database. A change in one of `files` recreates the database. */
export interface Contents {
  readonly name: string;
  readonly files: readonly string[];
  fill(admin: pg.Client, rows: number, report: Report): Promise<void>;
}

const fillFiles = ['fill.ts', 'ids.ts'].map((name) => join(import.meta.dirname, name));
const standard: Contents = { name: 'bench', files: fillFiles, fill };

/** Extends the standard contents. @param file the file that defines the addition. */
export function addTo(name: string, file: string, add: (admin: pg.Client) => Promise<void>): Contents {
  return {
    name,
    files: [...fillFiles, file],
    async fill(admin, rows, report) {
      await fill(admin, rows, report);
      report(`filling: ${name}`);
      await add(admin);
    },
  };
}

const settings = {
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  max_connections: '300',
  // Autovacuum would disturb the turn in which it starts. The benchmark vacuums between workloads instead.
  autovacuum: 'off',
};

export async function openBenchCluster(): Promise<BenchCluster> {
  const cluster = await openEmbedded(join(root, '.data', 'bench'), settings);
  const clients: pg.Client[] = [];
  const connect = async (url: string) => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    clients.push(client);
    await client.connect();
    return client;
  };
  const admin = await connect(cluster.adminUrl);
  const { rows } = await admin.query(
    "select current_setting('server_version') as version, split_part(pg_read_file('postmaster.pid'), e'\\n', 1)::int as pid",
  );
  return {
    version: rows[0].version,
    postmaster: rows[0].pid,
    async database(rows, report, { name: prefix, files, fill: fillDatabase } = standard) {
      const name = `${prefix}_${rows}`;
      const inDatabase = (url: string) => url.replace(/[^/]+$/, name);
      const connectionOf = {
        serverUrl: inDatabase(cluster.serverUrl),
        admin: () => connect(inDatabase(cluster.adminUrl)),
      };
      const fingerprint = await hashFiles(files);
      if (!(await isFilled(admin, name, fingerprint))) {
        await create(cluster, admin, name, inDatabase(cluster.ownerUrl));
        await fillDatabase(await connectionOf.admin(), rows, report);
        await admin.query(`comment on database ${name} is '${fingerprint}'`);
      }
      return { rows, serverUrl: connectionOf.serverUrl, admin: await connectionOf.admin() };
    },
    close: async () => {
      for (const client of clients) await client.end();
      await cluster.close();
    },
  };
}

/** Hashes the files and the migrations from which a database is created. */
async function hashFiles(files: readonly string[]): Promise<string> {
  const committed = join(root, 'migrations', 'committed');
  const migrations = (await readdir(committed)).sort().map((name) => join(committed, name));
  const hash = createHash('sha256');
  for (const file of [...files, ...migrations]) hash.update(await readFile(file));
  return hash.digest('hex');
}

async function isFilled(admin: pg.Client, name: string, fingerprint: string): Promise<boolean> {
  const { rows } = await admin.query(
    "select shobj_description(oid, 'pg_database') = $2 as filled from pg_database where datname = $1",
    [name, fingerprint],
  );
  return rows[0]?.filled === true;
}

async function create(cluster: EmbeddedTarget, admin: pg.Client, name: string, ownerUrl: string): Promise<void> {
  await admin.query(`drop database if exists ${name} with (force)`);
  await admin.query(`create database ${name} owner hedgerow_owner`);
  await migrate(await migrateSettings({ ownerUrl, shadowUrl: undefined, adminUrl: cluster.adminUrl }, () => {}));
  await withClient(ownerUrl, async (owner) => {
    const { rows } = await owner.query("select to_regclass('app_public.todos') is null as removed");
    if (!rows[0].removed) return;
    throw new UsageError(
      'The benchmarks need the example tables, which your migrations have removed (docs/dba.md). Delete bench/.',
    );
  });
}
