import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { newClient } from '../../postgres/withClient.ts';

/**
 * The advisory locks: ours, which a subcommand holds while it runs, and that of graphile-migrate, which takes it for each
 * migration.
 */
const locks = { ours: [1751474535, 1000000], theirs: '4727445306447283' } as const;

/** Milliseconds between two attempts to take the lock. */
const pause = 200;

/** Adds the option `--wait`, which `withMigrationLock` needs. */
export function waiting(command: Command): Command {
  return command.option('--wait <seconds>', 'how long to wait for another migration to finish', seconds, 30);
}

/**
 * Runs `work` while no other process changes this database's migrations. graphile-migrate alone would fail if another
 * process were migrating. Here the second process waits and prints which process it waits for.
 *
 * @param verb the name of the subcommand, shown to waiting processes.
 * @param wait seconds to wait for the lock.
 * @param work receives the connection that holds the lock.
 * @throws UsageError that names the lock holder, once `wait` has passed.
 */
export async function withMigrationLock<Result>(
  url: string,
  verb: string,
  wait: number,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  // Postgres truncates application names at 63 bytes.
  const client = newClient(url, `hedgerow ${verb} on ${hostname()}`);
  client.on('error', ({ message }) =>
    console.error(`The connection that holds the migration lock was lost: ${message}`),
  );
  await client.connect();
  try {
    await acquire(client, wait);
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * Polls for the lock. A session that waits for a lock inside Postgres holds a snapshot. A `create index concurrently` of
 * the lock holder would wait for that snapshot: a deadlock.
 */
async function acquire(client: pg.Client, wait: number): Promise<void> {
  const end = performance.now() + wait * 1000;
  let told = false;
  for (;;) {
    const { rows } = await client.query('select pg_try_advisory_lock($1, $2) as locked', [...locks.ours]);
    const holder = await lockHolder(client);
    if (rows[0].locked && !holder) return;
    // Release ours while graphile-migrate's lock is taken. Two processes that hold one lock each would deadlock.
    if (rows[0].locked) await client.query('select pg_advisory_unlock($1, $2)', [...locks.ours]);
    if (performance.now() >= end) {
      throw new UsageError(
        `Migrations are being applied by ${holder ?? 'a process that has just finished'}. Waited for ${wait} s; nothing was changed. Try again when it has finished, or wait longer with --wait.`,
      );
    }
    if (!told && holder) process.stderr.write(`Waiting up to ${wait} s: migrations are being applied by ${holder}\n`);
    told ||= holder !== undefined;
    await sleep(pause);
  }
}

/** Describes the session, other than `client`, that is changing the migrations of the database of `client`. */
export async function lockHolder(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query(
    `select a.pid, a.application_name, a.usename, host(a.client_addr) as address, a.backend_start
     from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid()
       and l.database = (select oid from pg_database where datname = current_database())
       and ((l.classid = $1::int8::oid and l.objid = $2::int8::oid and l.objsubid = 2)
         or (l.classid = ($3::int8 >> 32)::oid and l.objid = ($3::int8 & 4294967295)::oid and l.objsubid = 1))
     order by l.objsubid desc limit 1`,
    [...locks.ours, locks.theirs],
  );
  if (rows.length === 0) return undefined;
  const { pid, application_name, usename, address, backend_start } = rows[0];
  const since = backend_start ? `, connected since ${backend_start.toISOString()}` : '';
  return `${application_name || 'graphile-migrate'} (process ${pid}, role ${usename}, from ${address ?? 'a local socket'}${since})`;
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 86_400)) {
    throw new InvalidArgumentError('It must be a number of seconds, from 0 to 86400.');
  }
  return value;
}
