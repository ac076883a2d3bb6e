/** A connection that may inspect and terminate other backends. */
export interface Admin {
  asAdmin<Row extends Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
}

const backends = `from pg_stat_activity where datname = current_database() and usename = 'hedgerow_authenticator'`;

/**
 * Terminates up to `count` of the server's backends, chosen at random.
 *
 * @returns the number of terminated backends.
 */
export async function killBackends(db: Admin, count = 1000): Promise<number> {
  const killed = await db.asAdmin(
    `select pg_terminate_backend(pid) from (select pid ${backends} order by random() limit ${count}) chosen`,
  );
  return killed.length;
}

/**
 * Cancels the statement of one active backend of the server, chosen at random.
 *
 * @returns 1, or 0 if no backend is active.
 */
export async function cancelBackend(db: Admin): Promise<number> {
  const cancelled = await db.asAdmin(
    `select pg_cancel_backend(pid) from (select pid ${backends} and state = 'active' order by random() limit 1) chosen`,
  );
  return cancelled.length;
}

/** Lists the server's backends that run a statement or have an open transaction. */
export function busyBackends(db: Admin): Promise<{ state: string; query: string }[]> {
  return db.asAdmin(`select state, left(query, 200) as query ${backends} and state <> 'idle'`);
}
