import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrate } from 'graphile-migrate';
import { postgresUser } from '../../postgres/embedded/binaries.ts';
import type { Cluster } from '../../postgres/embedded/cluster.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { provision } from '../../postgres/target/provision.ts';
import { withClient } from '../../postgres/withClient.ts';

/** The system's Postgres, which has tools that the embedded one lacks: pg_dump, pg_restore and pg_basebackup. */
export interface SystemPostgres {
  /** Folder of its programs. */
  readonly bin: string;
  /** Password of every login role. */
  readonly password: string;
  /** Major version. */
  readonly major: number;
  url(user: string, database: string): string;
  /** Creates the roles and the databases, and migrates each database. */
  prepare(...databases: string[]): Promise<void>;
  /** Runs a statement as the superuser. Returns the values of all rows in one array. */
  query(database: string, text: string): Promise<unknown[]>;
  stop(): Promise<void>;
}

/** A password with characters that a connection string must encode. */
const password = 'hush: @/%';

/** Starts the system's Postgres with a new cluster. @param bin folder from `systemBin`. */
export async function startSystemPostgres(bin: string): Promise<SystemPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'hedgerow-system-'));
  const { port, close } = await runPostgres(bin, await initialize(bin, directory));
  const url = (name: string, database: string) => connectionString(name, port, database);
  return {
    bin,
    password,
    major: majorOf(bin),
    url,
    query: (database, text) => ask(url('postgres', database), text),
    prepare: async (...databases) => {
      const passwords = { owner: password, authenticator: password };
      await provision({ adminUrl: url('postgres', 'postgres'), databases, passwords });
      for (const database of databases) {
        const target = { ownerUrl: url('hedgerow_owner', database), shadowUrl: undefined, adminUrl: undefined };
        await migrate(await migrateSettings(target, () => {}));
      }
    },
    stop: async () => {
      await close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Creates a cluster in `directory`, owned by the user of Postgres. @returns the data folder. */
export async function initialize(bin: string, directory: string): Promise<string> {
  const user = postgresUser();
  const data = join(directory, 'data');
  await mkdir(data, { mode: 0o700 });
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, password);
  if (user) await Promise.all([directory, data, passwordFile].map((path) => chown(path, user.uid, user.gid)));
  const initdb = [
    '--pgdata',
    data,
    '--username',
    'postgres',
    '--auth',
    'scram-sha-256',
    '--pwfile',
    passwordFile,
    '--encoding',
    'UTF8',
    '--locale',
    'C',
  ];
  execFileSync(join(bin, 'initdb'), [...initdb, '--no-sync'], { ...user, stdio: 'pipe', cwd: directory });
  return data;
}

/** Copies the running `primary` into `data` as a standby that will stream from it. */
export function baseBackup(bin: string, primary: Pick<Cluster, 'adminUrl'>, data: string): void {
  const copy = ['--dbname', primary.adminUrl(), '--pgdata', data, '--write-recovery-conf'];
  const options = { ...postgresUser(), stdio: 'pipe', cwd: dirname(data) } as const;
  execFileSync(join(bin, 'pg_basebackup'), [...copy, '--checkpoint', 'fast', '--no-sync'], options);
}

/**
 * Starts the cluster in `data`.
 *
 * @param wanted the port; by default a free one.
 * @throws if it ends, or does not answer within 30 s.
 */
export async function runPostgres(bin: string, data: string, wanted?: number): Promise<Cluster> {
  const port = wanted ?? (await freePort());
  const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', fsync: 'off' };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const options = { ...postgresUser(), stdio: 'ignore', cwd: dirname(data) } as const;
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...flags], options);
  const exited = once(server, 'exit');
  const adminUrl = (database = 'postgres') => connectionString('postgres', port, database);
  const close = async () => {
    server.kill('SIGINT');
    await exited;
  };
  const until = performance.now() + 30_000;
  while (!(await ask(adminUrl(), 'select 1').catch(() => undefined))) {
    const ended = server.exitCode ?? server.signalCode;
    if (ended !== null) throw new Error(`Postgres ended with ${ended}`);
    if (performance.now() > until) {
      await close();
      throw new Error('Postgres does not answer within 30 s');
    }
    await sleep(20);
  }
  return { port, adminUrl, close };
}

function connectionString(user: string, port: number, database: string): string {
  return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

function ask(connectionString: string, text: string): Promise<unknown[]> {
  return withClient(connectionString, async (client) => (await client.query({ text, rowMode: 'array' })).rows.flat());
}

/** Finds the program folder of the newest complete Postgres from Debian's packages; undefined if there is none. */
export function systemBin(): string | undefined {
  const folder = '/usr/lib/postgresql';
  const versions = existsSync(folder) ? readdirSync(folder).map(Number) : [];
  return versions
    .sort((a, b) => b - a)
    .map((version) => join(folder, String(version), 'bin'))
    .find((bin) =>
      ['initdb', 'postgres', 'pg_dump', 'pg_restore', 'pg_basebackup'].every((name) => existsSync(join(bin, name))),
    );
}

function majorOf(bin: string): number {
  return Number(/\/(\d+)\/bin$/.exec(bin)?.[1]);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}
