import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import type { TestDatabase } from './database.ts';
import { type Running, run } from './running.ts';
import { jwtSecret } from './server.ts';

/** A server in its own process, with a minimal environment. */
export interface ServerProcess extends Running {
  /** URL of the server. Rejects if the server ends before it listens. */
  readonly url: Promise<string>;
}

/** The environment of a production server for `db`. @param url replaces the connection string of the server. */
export function productionEnv(
  { serverUrl, listenUrl, preparedStatements }: Pick<TestDatabase, 'serverUrl' | 'listenUrl' | 'preparedStatements'>,
  url = serverUrl,
): Record<string, string> {
  const DB_PREPARED_STATEMENTS = preparedStatements ? 'on' : 'off';
  const urls = { DATABASE_URL: url, DATABASE_URL_LISTEN: listenUrl };
  return { NODE_ENV: 'production', JWT_SECRET: jwtSecret, ...urls, DB_PREPARED_STATEMENTS };
}

/** Inherited variables: PATH and Node's compile cache. */
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

/** Kills all servers. Call it in afterEach, so that a failed test leaves no process behind. */
export async function killServers(): Promise<void> {
  await Promise.all([...running].map(({ stop }) => stop('SIGKILL')));
}
