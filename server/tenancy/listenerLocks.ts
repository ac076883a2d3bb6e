import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/** Runs queries on the listener connection, one at a time. */
export type RunQuery = <Row extends pg.QueryResultRow>(query: pg.QueryConfig) => Promise<pg.QueryResult<Row>>;

/** First key of the advisory locks. Keep it equal to the key in app_private.notify_changes(). */
const lockClass = 1_751_474_535;

/** Milliseconds before the next attempt: after a writer held a lock, and after the query failed. */
const pauses = { taken: 20, failed: 200 };

/** Returns the lock of a user or an organization, one of 1,024. Keep it equal to the computation in app_private.notify_changes(). */
export function lockOf(tenantId: string): number {
  return Number.parseInt(tenantId.slice(-3), 16) & 1023;
}

interface WantedLock {
  /** Resolves when the lock is acquired for the first time. */
  readonly acquired: PromiseWithResolvers<void>;
  holders: number;
  /** Whether an earlier connection lost the lock: changes since then were not notified. */
  lost: boolean;
}

/**
 * The listener locks: shared advisory locks that tell writers that a server listens for the changes of a
 * user or an organization.
 *
 * - _wanted_, from the first `hold` to the last `release`;
 * - _held_, once the connection has acquired it;
 * - _lost_, when the connection ends; the next connection acquires it again and reports it as regained.
 *
 * It tries locks and never waits for them: a wait would delay the notifications of all other tenants.
 */
export class ListenerLocks {
  readonly #regained: (lock: number) => void;
  readonly #wanted = new Map<number, WantedLock>();
  #runQuery: RunQuery | undefined;
  #held = new Set<number>();
  #acquiring = false;

  /** @param regained called for a lock that was lost with its connection and is held again. */
  constructor(regained: (lock: number) => void) {
    this.#regained = regained;
  }

  get empty(): boolean {
    return this.#wanted.size === 0;
  }

  /** Resolves once the lock is held: every change that becomes visible from then on is notified. */
  hold(lock: number): Promise<void> {
    const wanted = this.#wanted.get(lock) ?? { acquired: Promise.withResolvers<void>(), holders: 0, lost: false };
    wanted.holders++;
    this.#wanted.set(lock, wanted);
    void this.#acquire();
    return wanted.acquired.promise;
  }

  release(lock: number): void {
    const wanted = this.#wanted.get(lock);
    if (!wanted || --wanted.holders > 0) return;
    this.#wanted.delete(lock);
    if (this.#held.delete(lock)) this.#unlock(lock);
  }

  /** Acquires all wanted locks on a new connection. @param runQuery undefined when the connection is lost. */
  use(runQuery: RunQuery | undefined): void {
    for (const lock of this.#held) {
      const wanted = this.#wanted.get(lock);
      if (wanted) wanted.lost = true;
    }
    this.#held = new Set();
    this.#runQuery = runQuery;
    void this.#acquire();
  }

  async #acquire(): Promise<void> {
    if (this.#acquiring) return;
    this.#acquiring = true;
    for (let missing = this.#missing(); missing.length > 0 && this.#runQuery; missing = this.#missing()) {
      const runQuery = this.#runQuery;
      const rows = await tryLocks(runQuery, missing);
      if (runQuery !== this.#runQuery) continue;
      for (const { lock, held } of rows ?? []) if (held) this.#acquired(lock);
      if (!rows?.every(({ held }) => held)) await sleep(rows ? pauses.taken : pauses.failed);
    }
    this.#acquiring = false;
  }

  #missing(): number[] {
    return [...this.#wanted.keys()].filter((lock) => !this.#held.has(lock));
  }

  #acquired(lock: number): void {
    const wanted = this.#wanted.get(lock);
    if (!wanted) {
      this.#unlock(lock);
      return;
    }
    this.#held.add(lock);
    wanted.acquired.resolve();
    if (wanted.lost) this.#regained(lock);
    wanted.lost = false;
  }

  #unlock(lock: number): void {
    const text = 'select pg_advisory_unlock_shared($1, $2)';
    this.#runQuery?.({ text, values: [lockClass, lock] }).catch(() => {});
  }
}

/** Returns undefined if the query failed, mostly because the connection is lost and `use` will pass another one. */
async function tryLocks(runQuery: RunQuery, locks: readonly number[]) {
  const text = 'select lock, pg_try_advisory_lock_shared($1, lock) as held from unnest($2::int[]) lock';
  return runQuery<{ lock: number; held: boolean }>({ text, values: [lockClass, locks] }).then(
    ({ rows }) => rows,
    () => undefined,
  );
}
