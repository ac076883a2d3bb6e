import pg from 'pg';
import type { Logger } from 'pino';

/** Times in seconds. */
export interface PoolOptions {
  readonly size: number;
  /** How long a request waits for a connection. */
  readonly timeout: number;
  /** After how long a connection is replaced by a new one. */
  readonly recycle: number;
}

/** A pool of connections as the role that `url` names. Its errors are logged, never thrown into the process. */
export function openPool(url: string, { size, timeout, recycle }: PoolOptions, log: Logger): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'hedgerow',
    max: size,
    connectionTimeoutMillis: timeout * 1000,
    maxLifetimeSeconds: recycle,
    keepAlive: true,
  });
  const report = (error: Error) => log.warn({ err: error }, 'a database connection was lost');
  pool.on('error', report);
  // Without this a connection that dies while it is checked out ends the process.
  pool.on('connect', (client) => client.on('error', report));
  return pool;
}
