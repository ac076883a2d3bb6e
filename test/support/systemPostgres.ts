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

/** The system's own Postgres, for what the embedded one lacks: pg_dump, pg_restore and pg_basebackup of the same version. */
export interface SystemPostgres {
  /** The folder of its programs. */
  readonly bin: string;
  /** Of every role that logs in. */
  readonly password: string;
  /** Its major version. */
  readonly major: number;
  url(user: string, database: string): string;
  /** Makes roles and databases, and migrates each of the databases. */
  prepare(...databases: string[]): Promise<void>;
  /** Runs a statement as the superuser; answers with the rows' values, one after the other. */
  query(database: string, text: string): Promise<unknown[]>;
  stop(): Promise<void>;
}

/** As passwords may be: nothing of it stands in a connection string as it is. */
const password = 'hush: @/%';

/** @param bin the folder that `systemBin` found. */
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

/** Makes a cluster in `directory`, which is given to the user that it runs as; the folder of its data. */
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
 * Runs the cluster whose data is in `data`, until it is closed.
 *
 * @param wanted the port; by default one that is free.
 * @throws when it does not answer in half a minute.
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
      throw new Error('Postgres does not answer');
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

/** The folder of the newest Postgres that Debian's packages have put here, with its server and its tools. */
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
