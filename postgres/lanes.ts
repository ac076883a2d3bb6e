import type { Cancellation } from './cancellation.ts';

/**
 * Kinds of work that may hold only a share of the connections. `write`: everything that can commit. `unshared`: a tenant's
 * transactions outside of pipelines, for half a second each. `bypass`: transactions that take longer than that, and those of
 * their users. `export`: one tenant's data as a file, which takes minutes.
 */
export type Lane = 'write' | 'unshared' | 'bypass' | 'export';

/** The tenant that work of no signed-in user counts as: all of it has one queue and one tenant's share. No user has this id. */
export const unnamed = 'unnamed';

/** Milliseconds for which a tenant that has used the `bypass` lane is served behind tenants that have not. */
const remembered = 10_000;

/** Tenants that are remembered for that. */
const mostRemembered = 1000;

/** Connections of a lane that may be in use: by all tenants together, and by one of them. */
interface Share {
  readonly total: number;
  readonly tenant: number;
}

interface Waiter {
  readonly lanes: readonly Lane[];
  readonly tenant: string | undefined;
  admit(): void;
}

export interface LaneCounts {
  /** Requests that had to wait for the lane, and for how long altogether. */
  waits: number;
  waitSeconds: number;
}

/** No connection of the lane became free in time. */
export class LaneTimeoutError extends Error {
  readonly lane: Lane;
  constructor(lane: Lane) {
    super(`timeout exceeded when waiting for a connection of the ${lane} lane`);
    this.lane = lane;
  }
}

/** The shares of a pool of `size` connections. With one connection nothing can be kept back for reads. */
export function sharesOf(size: number): Readonly<Record<Lane, Share>> {
  const keptForReads = Math.max(1, Math.floor(size * 0.4));
  const write = size === 1 ? Number.POSITIVE_INFINITY : size - keptForReads;
  const bypass = Math.max(1, Math.floor(size / 4));
  return {
    write: { total: write, tenant: Math.ceil(write / 2) },
    unshared: { total: write, tenant: Math.max(1, Math.floor(size / 4)) },
    bypass: { total: bypass, tenant: bypass < 8 ? 1 : 2 },
    // Two, where there are four: one reader who takes their time must not keep everybody else waiting.
    export: { total: Math.max(size < 4 ? 1 : 2, Math.floor(size / 8)), tenant: 1 },
  };
}

/**
 * Admits requests to their share of a pool's connections, ahead of the pool's own queue. Reads need no lane.
 *
 * A request is _waiting_ until each of its lanes has room, for its tenant too; then it is _admitted_ and counts in each of
 * them; it _leaves_ once its connection is free again, which for a commit that nobody waits for any more is later than the
 * answer. Requests of one tenant wait in the order in which they came, and tenants take turns. For the `bypass` lane a tenant
 * that has not used it in the last 10 s comes first: tenants that are slow all the time do not keep out one that was slow once.
 */
export class Lanes {
  readonly counts: Readonly<Record<Lane, LaneCounts>> = {
    write: { waits: 0, waitSeconds: 0 },
    unshared: { waits: 0, waitSeconds: 0 },
    bypass: { waits: 0, waitSeconds: 0 },
    export: { waits: 0, waitSeconds: 0 },
  };
  readonly #shares: Readonly<Record<Lane, Share>>;
  readonly #inUse: Record<Lane, number> = { write: 0, unshared: 0, bypass: 0, export: 0 };
  /** Connections in use by lane and tenant, where there are any. */
  readonly #ofTenant = new Map<string, number>();
  /** Waiting requests by lanes and tenant; the tenant whose turn is next comes first. */
  readonly #queues = new Map<string, Waiter[]>();
  /** When tenants last used the `bypass` lane, the oldest first. */
  readonly #lastBypass = new Map<string, number>();
  #shared = 0;

  constructor(size: number) {
    this.#shares = sharesOf(size);
  }

  get waiting(): number {
    let sum = 0;
    for (const queue of this.#queues.values()) sum += queue.length;
    return sum;
  }

  /** Connections of `lane` in use. */
  inUse(lane: Lane): number {
    return this.#inUse[lane];
  }

  /**
   * Waits for room in all of `lanes` at once.
   *
   * @param tenant whose share of the lanes counts; `unnamed` for work of no signed-in user, undefined for work of several
   *   tenants, which has no share of its own.
   * @param timeout milliseconds.
   * @returns what to call once the connection is free again.
   * @throws LaneTimeoutError; CancelledError.
   */
  async enter(
    lanes: readonly Lane[],
    tenant: string | undefined,
    cancellation: Cancellation,
    timeout: number,
  ): Promise<() => void> {
    const asked = { lanes, tenant };
    // Each request that could be admitted was, so that nobody who waits is overtaken.
    if (!this.#hasRoom(asked)) await this.#wait(asked, cancellation, timeout);
    else this.#count(asked, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#count(asked, -1);
      this.#admitWaiting();
    };
  }

  #hasRoom({ lanes, tenant }: Pick<Waiter, 'lanes' | 'tenant'>): boolean {
    return lanes.every((lane) => {
      const share = this.#shares[lane];
      const own = tenant === undefined ? 0 : (this.#ofTenant.get(`${lane} ${tenant}`) ?? 0);
      return this.#inUse[lane] < share.total && own < share.tenant;
    });
  }

  #count({ lanes, tenant }: Pick<Waiter, 'lanes' | 'tenant'>, change: 1 | -1): void {
    for (const lane of lanes) {
      this.#inUse[lane] += change;
      if (tenant === undefined) continue;
      if (lane === 'bypass') this.#remember(tenant);
      const key = `${lane} ${tenant}`;
      const own = (this.#ofTenant.get(key) ?? 0) + change;
      if (own > 0) this.#ofTenant.set(key, own);
      else this.#ofTenant.delete(key);
    }
  }

  async #wait(asked: Pick<Waiter, 'lanes' | 'tenant'>, cancellation: Cancellation, timeout: number): Promise<void> {
    const start = performance.now();
    const key = `${asked.lanes.join('+')} ${asked.tenant ?? `#${this.#shared++}`}`;
    const room = Promise.withResolvers<void>();
    let admitted = false;
    const waiter: Waiter = {
      ...asked,
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
    const full = asked.lanes.find((lane) => !this.#hasRoom({ ...asked, lanes: [lane] })) as Lane;
    const timer = setTimeout(() => {
      leave();
      room.reject(new LaneTimeoutError(full));
    }, timeout);
    try {
      await cancellation.race(
        () => {
          this.#queues.set(key, [...(this.#queues.get(key) ?? []), waiter]);
          return room.promise;
        },
        () => {
          leave();
          // It was admitted and given up in the same tick: nobody will use its place.
          if (!admitted) return;
          this.#count(asked, -1);
          this.#admitWaiting();
        },
      );
    } finally {
      clearTimeout(timer);
      for (const lane of asked.lanes) {
        this.counts[lane].waits++;
        this.counts[lane].waitSeconds += (performance.now() - start) / 1000;
      }
    }
  }

  #remember(tenant: string): void {
    this.#lastBypass.delete(tenant);
    this.#lastBypass.set(tenant, performance.now());
    if (this.#lastBypass.size > mostRemembered) this.#lastBypass.delete(this.#lastBypass.keys().next().value as string);
  }

  #bypassedLately({ lanes, tenant }: Waiter): boolean {
    const last = lanes.includes('bypass') && tenant !== undefined ? this.#lastBypass.get(tenant) : undefined;
    return last !== undefined && performance.now() - last < remembered;
  }

  /** Admits everybody who has room, one of each tenant in turn. */
  #admitWaiting(): void {
    this.#admit((waiter) => !this.#bypassedLately(waiter));
    this.#admit(() => true);
  }

  #admit(isDue: (waiter: Waiter) => boolean): void {
    // A tenant that has been admitted goes to the end of the map, where this loop meets it again.
    for (const [key, [next, ...rest]] of this.#queues) {
      if (!next || !isDue(next) || !this.#hasRoom(next)) continue;
      this.#queues.delete(key);
      if (rest.length > 0) this.#queues.set(key, rest);
      this.#count(next, 1);
      next.admit();
    }
  }
}
