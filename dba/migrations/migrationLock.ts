import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { newClient } from '../../postgres/withClient.ts';

/** Advisory locks: ours, held for as long as a verb runs, and the one that graphile-migrate takes for each migration. */
const locks = { ours: [1751474535, 1000000], theirs: '4727445306447283' } as const;

const pause = 200;

/** Gives a verb the option that `withMigrationLock` needs. */
export function waiting(command: Command): Command {
  return command.option('--wait <seconds>', 'how long to wait while somebody else migrates', seconds, 30);
}

/**
 * Runs `work` while nobody else changes this database's migrations. graphile-migrate fails where another one is at it; here
 * the second one waits, and is told for whom.
 *
 * @param verb what is about to be done; others are told.
 * @param wait seconds; after them it fails with who is at it.
 * @param work gets the connection that holds the lock.
 */
export async function withMigrationLock<Result>(
  url: string,
  verb: string,
  wait: number,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  // Postgres cuts names off at 63 bytes.
  const client = newClient(url, `hedgerow ${verb} on ${hostname()}`);
  client.on('error', ({ message }) => console.error(`The connection that keeps others waiting was lost: ${message}`));
  await client.connect();
  try {
    await acquire(client, wait);
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * Asks again and again: a session that waits inside of Postgres keeps a snapshot, for which a `create index concurrently`
 * of who holds the lock would wait in turn.
 */
async function acquire(client: pg.Client, wait: number): Promise<void> {
  const end = performance.now() + wait * 1000;
  let told = false;
  for (;;) {
    const { rows } = await client.query('select pg_try_advisory_lock($1, $2) as locked', [...locks.ours]);
    const holder = await lockHolder(client);
    if (rows[0].locked && !holder) return;
    // Two that hold one lock each would wait for one another.
    if (rows[0].locked) await client.query('select pg_advisory_unlock($1, $2)', [...locks.ours]);
    if (performance.now() >= end) {
      throw new UsageError(
        `Migrations are being applied by ${holder ?? 'somebody who has just finished'}. Waited for ${wait} s; nothing was done. Try again when it is through, or wait longer with --wait.`,
      );
    }
    if (!told && holder) process.stderr.write(`Waiting up to ${wait} s: migrations are being applied by ${holder}\n`);
    told ||= holder !== undefined;
    await sleep(pause);
  }
}

/** Who is changing the migrations of the database that `client` is connected to, apart from itself. */
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
    throw new InvalidArgumentError('It must be a number of seconds.');
  }
  return value;
}
