import { setTimeout as sleep } from 'node:timers/promises';
import { ourSchema } from '../../postgres/ownObjects.ts';
import { newClient } from '../../postgres/withClient.ts';

/** A lock on a table that was there before the migration. Times are performance.now()'s. */
export interface Lock {
  /** Quoted, with its schema. */
  readonly table: string;
  /** As in the documentation: ACCESS EXCLUSIVE. */
  readonly mode: string;
  readonly firstSeen: number;
  /** When it was seen for the last time. */
  lastSeen: number;
}

/** Somebody who waited for the migration. */
interface Waiter {
  readonly pid: number;
  /** Undefined where what they waited for was a row. */
  readonly table: string | undefined;
  readonly at: number;
}

export interface LockWatch {
  /** The migration's locks on tables, by table and mode. */
  readonly locks: ReadonlyMap<string, Lock>;
  /** Those who were seen to wait for the migration, in order. */
  readonly waiters: readonly Waiter[];
  /** Milliseconds that the migration itself was seen to wait for a lock. */
  readonly waited: number;
  /** Looks now, and not only when it is time. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

/** Milliseconds between two looks: what is shorter is no pause that anybody notices. */
const interval = 15;

interface Row {
  readonly pid: number;
  readonly table: string | null;
  readonly mode: string;
  readonly granted: boolean;
}

// A table that the migration itself makes is in nobody else's catalog until the commit, and blocks nobody.
const locksOf = `select l.pid, l.mode, l.granted, case when c.oid is not null then format('%I.%I', n.nspname, c.relname) end as "table"
  from pg_locks l
  left join pg_class c on l.locktype = 'relation' and c.oid = l.relation and c.relkind in ('r', 'p', 'm')
  left join pg_namespace n on n.oid = c.relnamespace
  where (l.pid = $1 and c.oid is not null and ${ourSchema}
      and l.database = (select oid from pg_database where datname = current_database()))
    or (l.pid = $1 and not l.granted)
    or (l.pid <> $1 and not l.granted and $1 = any(pg_blocking_pids(l.pid)))`;

/** Watches the locks of the backend `pid`, and who waits for it, on a connection of its own. */
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
  // What fails is told by who looks or stops next.
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

/** Which of a tenant's work on a table waits for a lock. */
export function blocks(mode: string): 'reads and writes' | 'writes' | 'nothing' {
  if (mode === 'ACCESS EXCLUSIVE') return 'reads and writes';
  return ['EXCLUSIVE', 'SHARE ROW EXCLUSIVE', 'SHARE'].includes(mode) ? 'writes' : 'nothing';
}
