import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/** Asks on the connection that listens, one question after the other. */
export type Ask = <Row extends pg.QueryResultRow>(question: pg.QueryConfig) => Promise<pg.QueryResult<Row>>;

/** First key of the advisory locks; app_private.notify_changes() has it too. */
const lockClass = 1_751_474_535;

/** Milliseconds after which a lock that a writer has is tried again, and after which a try that failed is made again. */
const pauses = { taken: 20, failed: 200 };

/** Which of the 1,024 locks is the user's. As app_private.notify_changes() has it. */
export function lockOf(userId: string): number {
  return Number.parseInt(userId.slice(-3), 16) & 1023;
}

interface Attended {
  readonly first: PromiseWithResolvers<void>;
  holders: number;
  /** It was held on an earlier connection: what was written since then was not notified. */
  lost: boolean;
}

/**
 * The advisory locks that tell writers that somebody listens, for as long as somebody does. Tried and never waited for: a
 * wait would hold up the notifications of every other tenant.
 */
export class ListenerLocks {
  readonly #regained: (lock: number) => void;
  readonly #attended = new Map<number, Attended>();
  #ask: Ask | undefined;
  #held = new Set<number>();
  #taking = false;

  /** `regained` is told of a lock that had been lost with its connection. */
  constructor(regained: (lock: number) => void) {
    this.#regained = regained;
  }

  get empty(): boolean {
    return this.#attended.size === 0;
  }

  /** Resolves once every change that can be seen from then on is notified. */
  hold(lock: number): Promise<void> {
    const attended = this.#attended.get(lock) ?? { first: Promise.withResolvers<void>(), holders: 0, lost: false };
    attended.holders++;
    this.#attended.set(lock, attended);
    void this.#take();
    return attended.first.promise;
  }

  release(lock: number): void {
    const attended = this.#attended.get(lock);
    if (!attended || --attended.holders > 0) return;
    this.#attended.delete(lock);
    if (this.#held.delete(lock)) this.#unlock(lock);
  }

  /** Takes all of its locks on a new connection; undefined: the one it had is lost. */
  use(ask: Ask | undefined): void {
    for (const lock of this.#held) {
      const attended = this.#attended.get(lock);
      if (attended) attended.lost = true;
    }
    this.#held = new Set();
    this.#ask = ask;
    void this.#take();
  }

  async #take(): Promise<void> {
    if (this.#taking) return;
    this.#taking = true;
    for (let left = this.#left(); left.length > 0 && this.#ask; left = this.#left()) {
      const ask = this.#ask;
      const rows = await tryLocks(ask, left);
      if (ask !== this.#ask) continue;
      for (const { lock, held } of rows ?? []) if (held) this.#took(lock);
      if (!rows?.every(({ held }) => held)) await sleep(rows ? pauses.taken : pauses.failed);
    }
    this.#taking = false;
  }

  #left(): number[] {
    return [...this.#attended.keys()].filter((lock) => !this.#held.has(lock));
  }

  #took(lock: number): void {
    const attended = this.#attended.get(lock);
    if (!attended) {
      this.#unlock(lock);
      return;
    }
    this.#held.add(lock);
    attended.first.resolve();
    if (attended.lost) this.#regained(lock);
    attended.lost = false;
  }

  #unlock(lock: number): void {
    const text = 'select pg_advisory_unlock_shared($1, $2)';
    this.#ask?.({ text, values: [lockClass, lock] }).catch(() => {});
  }
}

/** Undefined where they could not be tried: mostly because the connection is lost, and use() will bring another. */
async function tryLocks(ask: Ask, locks: readonly number[]) {
  const text = 'select lock, pg_try_advisory_lock_shared($1, lock) as held from unnest($2::int[]) lock';
  return ask<{ lock: number; held: boolean }>({ text, values: [lockClass, locks] }).then(
    ({ rows }) => rows,
    () => undefined,
  );
}
