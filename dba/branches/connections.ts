import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { withClient } from '../../postgres/withClient.ts';
import type { Exclusive } from './branch.ts';

/** Milliseconds between two looks, and how many there are before somebody counts as connected. */
const pause = 100;
const looks = 10;

/**
 * Makes sure that nobody else is connected to `database`.
 *
 * @throws UsageError that says who is, unless they are to be disconnected.
 */
export async function aloneIn(admin: pg.Client, database: string, { disconnect }: Exclusive): Promise<void> {
  if (disconnect) return;
  let others = await connections(admin, database);
  // Who has just hung up may still be listed.
  for (let look = 1; others.length > 0 && look < looks; look++) {
    await sleep(pause);
    others = await connections(admin, database);
  }
  if (others.length === 0) return;
  const lines = others.map(
    ({ pid, user, application, since }) =>
      `  pid ${pid}, ${application || 'without application_name'}, as ${user}, since ${since}`,
  );
  throw new UsageError(
    `Others are connected to database ${database}, and Postgres copies, renames and drops a database only while nobody is:\n${lines.join('\n')}\nStop them (npm start, watch, psql …) and try again, or say --disconnect where their work may be lost.`,
  );
}

/**
 * Does something that needs databases for itself. With `disconnect` others' connections are ended again and again
 * meanwhile: servers come back at once, until Postgres has the lock that keeps them waiting, and it waits 5 s for the
 * ones that are there.
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
    // What ends this ends `work`, too.
  }).catch(() => {});
  try {
    return await work();
  } catch (error) {
    done = true;
    await ending;
    if ((error as { code?: unknown }).code !== '55006' || refused === undefined) throw error;
    throw new UsageError(
      `${(error as Error).message}: the role of ROOT_DATABASE_URL may not end the connections of ${refused}. Let a superuser \`grant pg_signal_backend\` to it, or stop what is connected.`,
    );
  } finally {
    done = true;
    await ending;
  }
}

/** Postgres itself ends autovacuum workers that are in the way. */
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
       coalesce(to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'), 'a time that only others may see') as since
     from pg_stat_activity where ${theirs} and datname = $1 order by backend_start, pid`,
    [database],
  );
  return rows;
}
