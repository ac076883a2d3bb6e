import type pg from 'pg';
import { connectionOf, destroyStream } from './internals/nodePostgres.ts';

/** Connections with a commit that returned before the standby had it. */
const unreplicated = new WeakSet<object>();

/**
 * Watches `client` for a commit whose wait for a synchronous standby was canceled, for example by an administrator. Postgres
 * then reports success with a warning, although a failover would lose the transaction. The batch reports a lost connection
 * instead: its outcome is unknown. The name of the Postgres function identifies the warning, because its text is translated.
 */
export function watchCommits(client: pg.ClientBase): void {
  const connection = connectionOf(client);
  client.on('notice', ({ routine }) => {
    if (routine !== 'SyncRepWaitForLSN') return;
    unreplicated.add(connection);
    destroyStream(client);
  });
}

/** Whether the last commit on `connection` may be lost in a failover. */
export function isUnreplicated(connection: object): boolean {
  return unreplicated.has(connection);
}
