import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server under test, as a process of its own that listens on 127.0.0.1. */
export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  /** The last that it has written to stdout and stderr. */
  output(): string;
  stop(): Promise<void>;
}

/** Connections to the database, for every server alike. */
const poolSize = 4;

const running = new Set<ServerProcess>();

/** Spawns `node file` with no environment but what servers need and `env`. It may not listen yet. */
export async function spawnServer(file: string, env: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, [file], {
    // No .env file of the checkout has a say.
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

/** @throws when the server has ended, or does not listen within `seconds`. */
export async function waitUntilListening(server: ServerProcess, seconds = 30): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await accepts(server.port))) {
    if (!running.has(server)) throw new Error(`it ended:\n${server.output()}`);
    if (performance.now() > deadline) throw new Error(`it does not listen after ${seconds} s:\n${server.output()}`);
    await sleep(5);
  }
}

/** Ends every server that still runs. */
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
