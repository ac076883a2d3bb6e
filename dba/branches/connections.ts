import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { withClient } from '../../postgres/withClient.ts';
import type { Exclusive } from './branch.ts';

/** Milliseconds between two polls, and the number of polls before an open connection is an error. */
const pause = 100;
const maxPolls = 10;

/**
 * Checks that no other session is connected to `database`. Skips the check if `disconnect` is set.
 *
 * @throws UsageError that lists the connected sessions.
 */
export async function aloneIn(admin: pg.Client, database: string, { disconnect }: Exclusive): Promise<void> {
  if (disconnect) return;
  let others = await connections(admin, database);
  // Postgres may still list a session that has just disconnected.
  for (let poll = 1; others.length > 0 && poll < maxPolls; poll++) {
    await sleep(pause);
    others = await connections(admin, database);
  }
  if (others.length === 0) return;
  const lines = others.map(
    ({ pid, user, application, since }) =>
      `  pid ${pid}, ${application || 'without application_name'}, as ${user}, since ${since}`,
  );
  throw new UsageError(
    `Other sessions are connected to database ${database}. Postgres cannot copy, rename or drop a database that is in use:\n${lines.join('\n')}\nStop them (npm start, watch, psql …) and try again. To terminate them and lose their work, add --disconnect.`,
  );
}

/**
 * Runs `work`, which needs databases without other connections. With `disconnect` it terminates other connections
 * repeatedly meanwhile, because servers reconnect at once. They can do so until Postgres has locked the database. Postgres
 * waits 5 s for connections to close.
 *
 * @throws UsageError if `work` fails because the admin may not terminate a connection.
 */
export async function exclusively<Result>(
  adminUrl: string,
  databases: readonly string[],
  { disconnect }: Exclusive,
  work: () => Promise<Result>,
): Promise<Result> {
  if (!disconnect) return work();
  let done = false;
  let refused: string | undefined;
  const ending = withClient(adminUrl, async (admin) => {
    do {
      const { rows } = await admin.query<{ pid: number; user: string }>(
        `select pid, usename as user from pg_stat_activity where ${theirs} and datname = any($1)`,
        [databases],
      );
      for (const { pid, user } of rows) {
        await admin.query('select pg_terminate_backend($1)', [pid]).catch(() => {
          refused = user;
        });
      }
      await sleep(pause);
    } while (!done);
    // An error here, such as a lost connection, makes `work` fail as well.
  }).catch(() => {});
  try {
    return await work();
  } catch (error) {
    done = true;
    await ending;
    if ((error as { code?: unknown }).code !== '55006' || refused === undefined) throw error;
    throw new UsageError(
      `${(error as Error).message}: the role of ROOT_DATABASE_URL may not terminate the connections of ${refused}. As a superuser, \`grant pg_signal_backend\` to it, or close the connections.`,
    );
  } finally {
    done = true;
    await ending;
  }
}

/** Excludes autovacuum workers, because Postgres terminates them if necessary. */
const theirs = "pid <> pg_backend_pid() and backend_type is distinct from 'autovacuum worker'";

interface Connection {
  readonly pid: number;
  readonly user: string;
  readonly application: string;
  readonly since: string;
}

async function connections(admin: pg.Client, database: string): Promise<Connection[]> {
  const { rows } = await admin.query<Connection>(
    `select pid, usename as user, application_name as application,
       coalesce(to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'), 'an unknown time') as since
     from pg_stat_activity where ${theirs} and datname = $1 order by backend_start, pid`,
    [database],
  );
  return rows;
}
