import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../../dba/root.ts';
import type { TestDatabase } from './database.ts';
import { jwtSecret } from './server.ts';

/** The server as a process of its own, with no environment but the one given. */
export interface ServerProcess {
  /** Where it listens; rejects when it ends before it does. */
  readonly url: Promise<string>;
  readonly exitCode: Promise<number | null>;
  /** All that it has written so far to stdout and stderr. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
}

/** What a server in production needs for `db`; `url` where it is not to be the server's own. */
export function productionEnv(
  { serverUrl, listenUrl, preparedStatements }: Pick<TestDatabase, 'serverUrl' | 'listenUrl' | 'preparedStatements'>,
  url = serverUrl,
): Record<string, string> {
  const DB_PREPARED_STATEMENTS = preparedStatements ? 'on' : 'off';
  const urls = { DATABASE_URL: url, DATABASE_URL_LISTEN: listenUrl };
  return { NODE_ENV: 'production', JWT_SECRET: jwtSecret, ...urls, DB_PREPARED_STATEMENTS };
}

/** Where programs are found, and what Node has compiled before. */
function inherited(): Record<string, string> {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return { ...(PATH && { PATH }), ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };
}

const running = new Set<ServerProcess>();

export function spawnServer(env: Record<string, string>): ServerProcess {
  const child = spawn(process.execPath, [join(root, 'server', 'main.ts')], {
    cwd: tmpdir(),
    env: { ...inherited(), PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const exitCode = once(child, 'close').then(([code]) => code as number | null);
  const url = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        output += `${line}\n`;
        const listening = /"url":"([^"]+)"/.exec(line)?.[1];
        if (listening) resolve(listening);
      });
    }
    exitCode.then((code) => reject(new Error(`ended with ${code}:\n${output}`)));
  });
  url.catch(() => {});
  const server = { url, exitCode, output: () => output, kill: (signal: NodeJS.Signals) => void child.kill(signal) };
  running.add(server);
  exitCode.then(() => running.delete(server));
  return server;
}

/** For afterEach: nothing that a failed test started stays behind. */
export async function killServers(): Promise<void> {
  await Promise.all(
    [...running].map((server) => {
      server.kill('SIGKILL');
      return server.exitCode;
    }),
  );
}
