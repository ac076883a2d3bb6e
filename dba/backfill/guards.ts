import { setTimeout as sleep } from 'node:timers/promises';
import type { PatientConnection } from '../online/patient.ts';

/** When a backfill makes way. */
export interface Limits {
  /** Milliseconds between batches. */
  readonly pause: number;
  /** Others' open transactions, at most. */
  readonly maxActive: number;
  /** Megabytes of write-ahead log that a replica may be behind. */
  readonly maxLag: number;
}

/** Waits between two batches until the database has room. */
export type Guard = (commitMilliseconds: number, signal: AbortSignal) => Promise<void>;

interface Load {
  /** Others' open transactions. */
  readonly active: number;
  /** Megabytes; null without a replica, or where it may not be seen. */
  readonly lag: number | null;
  readonly hidden: boolean;
}

// Everybody may read pg_locks, where each open transaction has its own number locked; pg_stat_activity is not everybody's.
const load = `select
    (select count(*)::int from pg_locks where locktype = 'virtualxid' and mode = 'ExclusiveLock' and pid <> pg_backend_pid()) as active,
    max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) / 1048576)::float8 as lag,
    coalesce(bool_or(state is null), false) as hidden
  from pg_stat_replication`;

/**
 * @param monitor of somebody who may see how far replicas are: an admin, or a member of pg_monitor.
 * @param report receives a line when waiting begins.
 */
export function createGuard(
  monitor: PatientConnection,
  { pause, maxActive, maxLag }: Limits,
  report: (line: string) => void,
): Guard {
  let told = false;
  const obstacle = async () => {
    const { active, lag, hidden } = await monitor.transaction(
      async (client) => (await client.query<Load>(load)).rows[0] as Load,
    );
    if (hidden && !told) {
      report(
        'There are replicas, but not how far they are: set ROOT_DATABASE_URL, or grant pg_monitor to hedgerow_owner.',
      );
      told = true;
    }
    if (active > maxActive) return `${active} other transactions are open (--max-active ${maxActive})`;
    if (lag !== null && lag > maxLag) return `a replica is ${lag.toFixed(1)} MB behind (--max-lag ${maxLag})`;
    return undefined;
  };
  return async (commitMilliseconds, signal) => {
    // A commit that is slow says that the disk, or a synchronous replica, is busy.
    await nap(Math.max(pause, 10 * commitMilliseconds), signal);
    for (let why = await obstacle(), first = true; why && !signal.aborted; why = await obstacle(), first = false) {
      if (first) report(`Waiting: ${why}`);
      await nap(500, signal);
    }
  };
}

async function nap(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch((error) => {
    if (error.name !== 'AbortError') throw error;
  });
}
