import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** The process of a server under test. It listens on 127.0.0.1. */
export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  /** The last output on stdout and stderr. */
  output(): string;
  stop(): Promise<void>;
}

/** Connections of every server to the database. */
const poolSize = 4;

const running = new Set<ServerProcess>();

/** Spawns `node file` with a minimal environment and `env`. The server may not listen yet when this resolves. */
export async function spawnServer(file: string, env: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, [file], {
    // Outside the checkout, so that the server does not read its .env file.
    cwd: tmpdir(),
    env: {
      ...(process.env.PATH && { PATH: process.env.PATH }),
      NODE_ENV: 'production',
      LOG_LEVEL: 'warn',
      PORT: String(port),
      DB_POOL_SIZE: String(poolSize),
      POOL_SIZE: String(poolSize),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-2000);
    });
  }
  const ended = once(child, 'close');
  ended.catch(() => {});
  if (child.pid === undefined) throw new Error(`${file} cannot be started`);
  const server: ServerProcess = {
    pid: child.pid,
    port,
    output: () => output,
    async stop() {
      running.delete(server);
      child.kill('SIGTERM');
      const killTimer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(killTimer);
    },
  };
  running.add(server);
  child.once('exit', () => running.delete(server));
  return server;
}

/** Waits until the server accepts connections. @throws if it ends or does not listen within `seconds`. */
export async function waitUntilListening(server: ServerProcess, seconds = 30): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await accepts(server.port))) {
    if (!running.has(server)) throw new Error(`The server has ended:\n${server.output()}`);
    if (performance.now() > deadline)
      throw new Error(`The server does not listen after ${seconds} s:\n${server.output()}`);
    await sleep(5);
  }
}

/** Stops all servers that still run. */
export async function stopServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (listens: boolean) => {
      socket.destroy();
      resolve(listens);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
