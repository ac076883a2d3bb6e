import { setTimeout as sleep } from 'node:timers/promises';
import type { RetryingConnection } from '../online/retryingConnection.ts';

/** Thresholds above which a backfill waits before its next batch. */
export interface ThrottleOptions {
  /** Minimum pause between batches, in milliseconds. */
  readonly pause: number;
  /** Maximum number of open transactions of other sessions. */
  readonly maxActive: number;
  /** Maximum replica lag, in megabytes of write-ahead log. */
  readonly maxLag: number;
}

/** Waits between two batches until the load is below the thresholds, or until `signal` aborts. */
export type Throttle = (commitMilliseconds: number, signal: AbortSignal) => Promise<void>;

interface Load {
  /** Open transactions of other sessions. */
  readonly active: number;
  /** Replica lag in megabytes; null if there is no replica, or if the role cannot see its position. */
  readonly lag: number | null;
  /** Whether a replica exists whose position the role cannot see. */
  readonly hidden: boolean;
}

// Counts transactions in pg_locks: each one locks its own virtual transaction id, and every role can read the view.
// pg_stat_activity hides other roles' sessions from an ordinary role.
const loadQuery = `select
    (select count(*)::int from pg_locks where locktype = 'virtualxid' and mode = 'ExclusiveLock' and pid <> pg_backend_pid()) as active,
    max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) / 1048576)::float8 as lag,
    coalesce(bool_or(state is null), false) as hidden
  from pg_stat_replication`;

/**
 * Creates the throttle of one backfill.
 *
 * @param monitor a connection of a role that sees replica positions: an admin, or a member of pg_monitor.
 * @param report receives a line when waiting begins, and one line if replica positions are hidden.
 */
export function createThrottle(
  monitor: RetryingConnection,
  { pause, maxActive, maxLag }: ThrottleOptions,
  report: (line: string) => void,
): Throttle {
  let reportedHidden = false;
  const obstacle = async () => {
    const { active, lag, hidden } = await monitor.transaction(
      async (client) => (await client.query<Load>(loadQuery)).rows[0] as Load,
    );
    if (hidden && !reportedHidden) {
      report(
        'The lag of the replicas is not visible to this role. Set ROOT_DATABASE_URL, or grant pg_monitor to hedgerow_owner.',
      );
      reportedHidden = true;
    }
    if (active > maxActive) return `${active} other transactions are open (--max-active ${maxActive})`;
    if (lag !== null && lag > maxLag) return `a replica is ${lag.toFixed(1)} MB behind (--max-lag ${maxLag})`;
    return undefined;
  };
  return async (commitMilliseconds, signal) => {
    // A slow commit means that the disk or a synchronous replica is busy.
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
