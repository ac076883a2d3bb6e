import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ignoreEnvironmentFor } from '../libpqEnvironment.ts';
import { type PostgresCommand, postgresCommand, postgresUser } from './binaries.ts';
import { isAlive, withLock } from './lock.ts';

/** A running embedded Postgres. Several processes may use it. The last one that closes it stops it. */
export interface Cluster {
  readonly port: number;
  /** Connection string of the superuser `postgres` for `database`. */
  adminUrl(database?: string): string;
  close(): Promise<void>;
}

export interface ClusterOptions {
  /** Folder of the cluster: data, password, log. It is created if missing. */
  readonly directory: string;
  /** Additional server settings, as `name: value`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Starts the cluster in `directory`, or joins the running one. Another process of this checkout may have started it, or it
 * may have survived a server that was killed.
 *
 * @throws Error if initdb or Postgres fails, with its output.
 */
export async function openCluster({ directory, settings = {} }: ClusterOptions): Promise<Cluster> {
  await mkdir(join(directory, 'users'), { recursive: true });
  const data = join(directory, 'data');
  const user = join(directory, 'users', String(process.pid));
  const lock = join(directory, 'lock');
  const password = await superuserPassword(directory);

  const port = await withLock(lock, async () => {
    if (!existsSync(join(data, 'PG_VERSION'))) await initialize(directory, data);
    const running = await postmaster(data);
    const port = running?.ready ? running.port : await start(directory, data, settings);
    await writeFile(user, '');
    return port;
  });
  ignoreEnvironmentFor('127.0.0.1', port);

  return {
    port,
    adminUrl: (database = 'postgres') => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`,
    close: () =>
      withLock(lock, async () => {
        await rm(user, { force: true });
        const others = (await readdir(join(directory, 'users'))).map(Number);
        if (!others.some(isAlive)) await stop(data);
      }),
  };
}

async function superuserPassword(directory: string): Promise<string> {
  const file = join(directory, 'superuser-password');
  await writeFile(file, randomBytes(24).toString('hex'), { flag: 'wx', mode: 0o600 }).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return readFile(file, 'utf8');
}

/** Creates the data folder under another name and renames it, so that an interrupted initdb leaves no partial cluster. */
async function initialize(directory: string, data: string): Promise<void> {
  const fresh = `${data}.new`;
  const passwordFile = `${data}.password`;
  const user = postgresUser();
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(passwordFile, await superuserPassword(directory), { mode: 0o600 });
  if (user) await Promise.all([fresh, passwordFile].map((path) => chown(path, user.uid, user.gid)));
  try {
    const command = postgresCommand('initdb', [
      ...['--pgdata', fresh, '--username', 'postgres', '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-instructions', '--no-sync'],
      ...['--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8', '--locale', 'C'],
    ]);
    const { code, output } = await run(command);
    if (code !== 0) throw new Error(`initdb failed with exit code ${code}:\n${output}`);
    await rename(fresh, data);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function start(directory: string, data: string, settings: Readonly<Record<string, string>>): Promise<number> {
  // Reuse the previous port if it is free, so that saved connections of clients keep working.
  const portFile = join(directory, 'port');
  const port = await freePort(Number(await readFile(portFile, 'utf8').catch(() => '0')));
  await writeFile(portFile, String(port));
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(port), ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const command = postgresCommand('postgres', ['-D', data, ...flags]);
  const logFile = join(directory, 'postgres.log');
  const log = await open(logFile, 'w');
  // Use a separate process group: on Ctrl-C, this process stops Postgres after the last request.
  const child = spawn(command.file, command.args, {
    ...identity(command),
    stdio: ['ignore', log.fd, log.fd],
    detached: true,
  });
  let exited: string | undefined;
  child.once('error', (error) => {
    exited = error.message;
  });
  child.once('exit', (code, signal) => {
    exited = `exit code ${code ?? signal}`;
  });
  child.unref();
  await log.close();
  for (;;) {
    const running = await postmaster(data);
    if (running?.ready && running.port === port) return port;
    if (exited) throw new Error(`Postgres did not start (${exited}):\n${await readFile(logFile, 'utf8')}`);
    await sleep(20);
  }
}

/** Performs a fast shutdown: Postgres rolls back running transactions. Waits until Postgres has exited. */
async function stop(data: string): Promise<void> {
  const running = await postmaster(data);
  if (!running) return;
  process.kill(running.pid, 'SIGINT');
  while (await postmaster(data)) await sleep(20);
}

/** Reads postmaster.pid of a running server. Its lines: pid, folder, start, port, socket, address, memory, status. */
async function postmaster(data: string): Promise<{ pid: number; port: number; ready: boolean } | undefined> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const pid = Number(lines[0]);
  return pid && isAlive(pid) ? { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' } : undefined;
}

function freePort(preferred: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => (preferred ? freePort(0).then(resolve, reject) : reject(error)));
    probe.listen(preferred, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

function run(command: PostgresCommand): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command.file, command.args, { ...identity(command), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

function identity({ uid, gid }: PostgresCommand): { uid?: number; gid?: number } {
  return uid === undefined || gid === undefined ? {} : { uid, gid };
}
