import type { Cancellation } from './cancellation.ts';

/**
 * The share of the connections that one kind of work may use.
 *
 * - `write`: everything that can commit.
 * - `unshared`: transactions outside of pipelines that have 500 ms.
 * - `bypass`: transactions that take longer, and further transactions of the same user.
 * - `export`: the export of one user's data to a file, which takes minutes.
 */
export type Share = 'write' | 'unshared' | 'bypass' | 'export';

/** Milliseconds after its last use of the `bypass` share for which a key waits behind keys without such a use. */
const recentTime = 10_000;

/** Maximum of keys whose last use of the `bypass` share is remembered. */
const maxRecent = 1000;

/** Maximum of connections in use: by all keys together, and by one key. */
interface ShareSize {
  readonly total: number;
  readonly perKey: number;
}

/** Shares that a request needs. Requests with the same key share one limit; undefined exempts from it. */
interface Claim {
  readonly shares: readonly Share[];
  readonly fairnessKey: string | undefined;
}

interface Waiter extends Claim {
  admit(): void;
}

export interface ShareCounts {
  /** Requests that waited for the share. */
  waits: number;
  /** Seconds that they waited, in total. */
  waitSeconds: number;
}

/** No connection of the share became free in time. */
export class ShareTimeoutError extends Error {
  readonly share: Share;
  constructor(share: Share) {
    super(`timed out waiting for a connection of the ${share} share`);
    this.share = share;
  }
}

/** Returns the size of each share in a pool of `size` connections. A pool of one connection reserves none for reads. */
export function shareSizes(size: number): Readonly<Record<Share, ShareSize>> {
  const reservedForReads = Math.max(1, Math.floor(size * 0.4));
  const write = size === 1 ? Number.POSITIVE_INFINITY : size - reservedForReads;
  const bypass = Math.max(1, Math.floor(size / 4));
  return {
    write: { total: write, perKey: Math.ceil(write / 2) },
    unshared: { total: write, perKey: Math.max(1, Math.floor(size / 4)) },
    bypass: { total: bypass, perKey: bypass < 8 ? 1 : 2 },
    // Two in a pool of four or more: one client that reads its export slowly must not block the others.
    export: { total: Math.max(size < 4 ? 1 : 2, Math.floor(size / 8)), perKey: 1 },
  };
}

/**
 * Admits requests to their shares of a pool's connections, before the pool's own queue. Reads need no share.
 *
 * A request is
 *
 * - _waiting_ until each of its shares has room, in total and for its fairness key;
 * - _admitted_: it counts in each of its shares;
 * - _released_ once its connection is free again. For an abandoned commit, that is later than the answer.
 *
 * Requests with the same key wait in the order of their arrival, and keys take turns. In the `bypass` share, a key without
 * a use in the last 10 s comes first. So a user who is slow all the time does not block one who was slow once.
 */
export class ConnectionShares {
  readonly counts: Readonly<Record<Share, ShareCounts>> = {
    write: { waits: 0, waitSeconds: 0 },
    unshared: { waits: 0, waitSeconds: 0 },
    bypass: { waits: 0, waitSeconds: 0 },
    export: { waits: 0, waitSeconds: 0 },
  };
  readonly #sizes: Readonly<Record<Share, ShareSize>>;
  readonly #inUse: Record<Share, number> = { write: 0, unshared: 0, bypass: 0, export: 0 };
  /** Connections in use by share and key; no entry means none. */
  readonly #inUseByKey = new Map<string, number>();
  /** Waiting requests by shares and key, in the order of their turns. */
  readonly #queues = new Map<string, Waiter[]>();
  /** Time of the last use of the `bypass` share by key, the oldest first. */
  readonly #lastBypass = new Map<string, number>();
  /** Numbers the queues of requests without a key. */
  #keyless = 0;

  constructor(size: number) {
    this.#sizes = shareSizes(size);
  }

  get waiting(): number {
    let sum = 0;
    for (const queue of this.#queues.values()) sum += queue.length;
    return sum;
  }

  /** Connections of `share` in use. */
  inUse(share: Share): number {
    return this.#inUse[share];
  }

  /**
   * Waits until all of `shares` have room at the same time.
   *
   * @param fairnessKey limits the connections of all requests with this key; undefined for work without such a limit.
   * @param timeout milliseconds.
   * @returns a function to call once the connection is free again.
   * @throws ShareTimeoutError; CancelledError.
   */
  async enter(
    shares: readonly Share[],
    fairnessKey: string | undefined,
    cancellation: Cancellation,
    timeout: number,
  ): Promise<() => void> {
    const claim = { shares, fairnessKey };
    // All waiting requests that have room are admitted already, so this request overtakes none.
    if (!this.#hasRoom(claim)) await this.#wait(claim, cancellation, timeout);
    else this.#count(claim, 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#count(claim, -1);
      this.#admitWaiting();
    };
  }

  #hasRoom({ shares, fairnessKey }: Claim): boolean {
    return shares.every((share) => {
      const { total, perKey } = this.#sizes[share];
      const ofKey = fairnessKey === undefined ? 0 : (this.#inUseByKey.get(`${share} ${fairnessKey}`) ?? 0);
      return this.#inUse[share] < total && ofKey < perKey;
    });
  }

  #count({ shares, fairnessKey }: Claim, change: 1 | -1): void {
    for (const share of shares) {
      this.#inUse[share] += change;
      if (fairnessKey === undefined) continue;
      if (share === 'bypass') this.#rememberBypass(fairnessKey);
      const key = `${share} ${fairnessKey}`;
      const ofKey = (this.#inUseByKey.get(key) ?? 0) + change;
      if (ofKey > 0) this.#inUseByKey.set(key, ofKey);
      else this.#inUseByKey.delete(key);
    }
  }

  async #wait(claim: Claim, cancellation: Cancellation, timeout: number): Promise<void> {
    const start = performance.now();
    const key = `${claim.shares.join('+')} ${claim.fairnessKey ?? `#${this.#keyless++}`}`;
    const room = Promise.withResolvers<void>();
    let admitted = false;
    const waiter: Waiter = {
      ...claim,
      admit: () => {
        admitted = true;
        room.resolve();
      },
    };
    const leave = () => {
      const rest = this.#queues.get(key)?.filter((other) => other !== waiter) ?? [];
      if (rest.length > 0) this.#queues.set(key, rest);
      else this.#queues.delete(key);
    };
    const full = claim.shares.find((share) => !this.#hasRoom({ ...claim, shares: [share] })) as Share;
    const timer = setTimeout(() => {
      leave();
      room.reject(new ShareTimeoutError(full));
    }, timeout);
    try {
      await cancellation.race(
        () => {
          this.#queues.set(key, [...(this.#queues.get(key) ?? []), waiter]);
          return room.promise;
        },
        () => {
          leave();
          // The request was admitted and canceled in the same tick, so it does not use its place.
          if (!admitted) return;
          this.#count(claim, -1);
          this.#admitWaiting();
        },
      );
    } finally {
      clearTimeout(timer);
      for (const share of claim.shares) {
        this.counts[share].waits++;
        this.counts[share].waitSeconds += (performance.now() - start) / 1000;
      }
    }
  }

  #rememberBypass(key: string): void {
    this.#lastBypass.delete(key);
    this.#lastBypass.set(key, performance.now());
    if (this.#lastBypass.size > maxRecent) this.#lastBypass.delete(this.#lastBypass.keys().next().value as string);
  }

  #bypassedRecently({ shares, fairnessKey }: Claim): boolean {
    const last = shares.includes('bypass') && fairnessKey !== undefined ? this.#lastBypass.get(fairnessKey) : undefined;
    return last !== undefined && performance.now() - last < recentTime;
  }

  /** Admits all waiting requests that have room, one per key in turn. */
  #admitWaiting(): void {
    this.#admit((waiter) => !this.#bypassedRecently(waiter));
    this.#admit(() => true);
  }

  #admit(isDue: (waiter: Waiter) => boolean): void {
    // An admitted key moves to the end of the map, where this loop reaches it again.
    for (const [key, [next, ...rest]] of this.#queues) {
      if (!next || !isDue(next) || !this.#hasRoom(next)) continue;
      this.#queues.delete(key);
      if (rest.length > 0) this.#queues.set(key, rest);
      this.#count(next, 1);
      next.admit();
    }
  }
}
