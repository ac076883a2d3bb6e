import type pg from 'pg';

/** Connections whose commit was ended before the standby had it. */
const unreplicated = new WeakSet<object>();

interface Wired {
  readonly connection: { readonly stream: { destroy(): void } };
}

/**
 * Watches `client` for a commit whose wait for a synchronous standby was canceled, by an administrator for example. Postgres
 * then reports success with a warning, although a failover would lose the transaction. The batch reports a lost connection
 * instead: its outcome is unknown. The warning is recognized by the function in Postgres, because its text is translated.
 */
export function watchCommits(client: pg.ClientBase): void {
  const { connection } = client as unknown as Wired;
  client.on('notice', ({ routine }) => {
    if (routine !== 'SyncRepWaitForLSN') return;
    unreplicated.add(connection);
    connection.stream.destroy();
  });
}

/** Whether the last commit on `connection` may be lost in a failover. */
export function isUnreplicated(connection: object): boolean {
  return unreplicated.has(connection);
}
