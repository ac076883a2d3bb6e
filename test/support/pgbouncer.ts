import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { postgresUser } from '../../postgres/embedded/binaries.ts';

export interface PgBouncer {
  /** The given connection string, through the pooler. */
  readonly url: string;
  /** Kills the process and starts it again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Whether PgBouncer is installed. */
export function hasPgBouncer(): boolean {
  return spawnSync('pgbouncer', ['--version']).error === undefined;
}

/**
 * Starts the system's PgBouncer in front of `url`, with three server connections for each database.
 *
 * @param queryWait seconds that a client may wait for a server connection.
 */
export async function startPgBouncer(
  url: string,
  mode: 'transaction' | 'session' = 'transaction',
  queryWait = 2,
): Promise<PgBouncer> {
  const { username, password, hostname, port: postgresPort } = new URL(url);
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'hedgerow-pgbouncer-'));
  const config = join(directory, 'pgbouncer.ini');
  const users = join(directory, 'users.txt');
  await writeFile(users, `"${username}" "${password}"\n`);
  await writeFile(
    config,
    `[databases]
* = host=${hostname} port=${postgresPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = 3
max_client_conn = 500
max_db_connections = 3
server_idle_timeout = 5
query_wait_timeout = ${queryWait}
server_login_retry = 1
logfile = ${join(directory, 'log')}
`,
  );
  // PgBouncer, like Postgres, does not run as root.
  const user = postgresUser();
  await chmod(directory, 0o755);
  if (user) await Promise.all([directory, config, users].map((path) => chown(path, user.uid, user.gid)));

  const start = async () => {
    const child = spawn('pgbouncer', ['-q', config], { stdio: 'ignore', ...user });
    await Promise.race([accepting(port), once(child, 'error').then(([error]) => Promise.reject(error))]);
    return child;
  };
  let child = await start();
  const end = async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  const through = new URL(url);
  through.host = `127.0.0.1:${port}`;
  return {
    url: through.href,
    restart: async () => {
      await end();
      child = await start();
    },
    stop: async () => {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function accepting(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    // once() rejects on an error event.
    const ok = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (ok) return;
    await sleep(20);
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
