import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import type { TestDatabase } from './database.ts';
import { type Running, run } from './running.ts';
import { jwtSecret } from './server.ts';

/** The server as a process of its own, with no environment but the one given. */
export interface ServerProcess extends Running {
  /** Where it listens; rejects when it ends before it does. */
  readonly url: Promise<string>;
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
  const child = run([join(root, 'server', 'main.ts')], { cwd: tmpdir(), env: { ...inherited(), PORT: '0', ...env } });
  const url = child.line(/"url":"/).then((line) => JSON.parse(line).url as string);
  url.catch(() => {});
  const server = { ...child, url };
  running.add(server);
  server.exitCode.then(() => running.delete(server));
  return server;
}

/** For afterEach: nothing that a failed test started stays behind. */
export async function killServers(): Promise<void> {
  await Promise.all([...running].map(({ stop }) => stop('SIGKILL')));
}
