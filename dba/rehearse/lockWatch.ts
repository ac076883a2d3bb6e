import { setTimeout as sleep } from 'node:timers/promises';
import { ourSchema } from '../../postgres/ownObjects.ts';
import { newClient } from '../../postgres/withClient.ts';

/**
 * Watches the locks of a migration on a second connection. `watchLocks` starts polling. `look` polls once more,
 * immediately. `stop` ends the polling, closes the connection and throws the error of a failed poll.
 */

/** A lock on a table that existed before the migration. Times are values of `performance.now()`. */
export interface Lock {
  /** Quoted, with its schema. */
  readonly table: string;
  /** As in the Postgres documentation: ACCESS EXCLUSIVE. */
  readonly mode: string;
  readonly firstSeen: number;
  lastSeen: number;
}

/** A session that waited for a lock of the migration. */
interface Waiter {
  readonly pid: number;
  /** Undefined if the session waited for a row. */
  readonly table: string | undefined;
  readonly at: number;
}

export interface LockWatch {
  /** The migration's locks on tables, by table and mode. */
  readonly locks: ReadonlyMap<string, Lock>;
  /** Sessions that waited for the migration, in the order of observation. */
  readonly waiters: readonly Waiter[];
  /** Milliseconds that the migration itself waited for locks. */
  readonly waited: number;
  /** Polls immediately. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

/** Milliseconds between polls. Nobody notices a shorter delay. */
const interval = 15;

interface Row {
  readonly pid: number;
  readonly table: string | null;
  readonly mode: string;
  readonly granted: boolean;
}

// Skips tables that the migration creates: until the commit no other session sees them, so their locks block nobody.
const locksOf = `select l.pid, l.mode, l.granted, case when c.oid is not null then format('%I.%I', n.nspname, c.relname) end as "table"
  from pg_locks l
  left join pg_class c on l.locktype = 'relation' and c.oid = l.relation and c.relkind in ('r', 'p', 'm')
  left join pg_namespace n on n.oid = c.relnamespace
  where (l.pid = $1 and c.oid is not null and ${ourSchema}
      and l.database = (select oid from pg_database where datname = current_database()))
    or (l.pid = $1 and not l.granted)
    or (l.pid <> $1 and not l.granted and $1 = any(pg_blocking_pids(l.pid)))`;

/** Watches the locks of the backend `pid`, and the sessions that wait for it, on a separate connection. */
export async function watchLocks(connectionString: string, pid: number): Promise<LockWatch> {
  const client = newClient(connectionString, 'hedgerow rehearsal');
  await client.connect();
  const locks = new Map<string, Lock>();
  const waiters: Waiter[] = [];
  const watch = { locks, waiters, waited: 0 };
  let lastLook = performance.now();
  const look = async () => {
    const { rows } = await client.query<Row>(locksOf, [pid]);
    const now = performance.now();
    for (const row of rows) {
      if (row.pid !== pid) waiters.push({ pid: row.pid, table: row.table ?? undefined, at: now });
      else if (!row.granted) watch.waited += now - lastLook;
      else if (row.table) note(locks, row.table, row.mode, now);
    }
    lastLook = now;
  };
  let running = true;
  const loop = (async () => {
    while (running) {
      await look();
      await sleep(interval);
    }
  })();
  // Avoid an unhandled rejection; `stop` awaits the loop and throws its error.
  loop.catch(() => {});
  return Object.assign(watch, {
    look,
    stop: async () => {
      running = false;
      await loop;
      await client.end();
    },
  });
}

function note(locks: Map<string, Lock>, table: string, mode: string, now: number): void {
  const name = mode
    .replace(/Lock$/, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toUpperCase();
  const key = `${table} ${name}`;
  const known = locks.get(key);
  if (known) known.lastSeen = now;
  else locks.set(key, { table, mode: name, firstSeen: now, lastSeen: now });
}

/** Returns the operations of tenants on a table that a lock mode blocks. */
export function blocks(mode: string): 'reads and writes' | 'writes' | 'nothing' {
  if (mode === 'ACCESS EXCLUSIVE') return 'reads and writes';
  return ['EXCLUSIVE', 'SHARE ROW EXCLUSIVE', 'SHARE'].includes(mode) ? 'writes' : 'nothing';
}
