import { type Cancellation, CancelledError } from '../../postgres/cancellation.ts';

export interface AdmissionLimits {
  /** Maximum of running requests of all tenants. */
  readonly total: number;
  /** Maximum of running requests of one tenant. */
  readonly perTenant: number;
  /** Maximum of waiting requests of one tenant. */
  readonly queue: number;
  /** Maximum total time of one tenant's running requests while other tenants are active, in milliseconds. */
  readonly workUnderWay: number;
  /** Debt for holding the event loop above which a tenant pauses, in ms². */
  readonly holdBudget: number;
}

/** Running requests per database connection. Transactions share connections, and some requests need none. */
const placesPerConnection = 4;

/** Returns the limits of a server with `connections` database connections. */
export function admissionLimits(connections: number, { perTenant = 10, queue = 50 } = {}): AdmissionLimits {
  return { total: placesPerConnection * connections, perTenant, queue, workUnderWay: 40, holdBudget: 500 };
}

export interface EnterOptions {
  /** Ends the wait. */
  readonly cancellation: Cancellation;
  /** Waits even if the tenant's queue is full. Use it for work that is bounded elsewhere. */
  readonly always?: boolean;
}

/** The tenant's queue is full, or the request reached its deadline while it waited. */
export class RefusedError extends Error {
  readonly reason: RefusalReason;
  constructor(reason: RefusalReason) {
    super(`not admitted: ${reason}`);
    this.reason = reason;
  }
}

export type RefusalReason = 'queue full' | 'deadline';

/** Maximum of concurrent requests of a tenant without an average time yet. */
const firstRequests = 2;

/**
 * Minimum of concurrent requests that a tenant with slow requests keeps while other tenants are active. With two, one can
 * wait for the database while the other needs the processor.
 */
const fewestRequests = 2;

/** Fraction of the server's places for tenants with running requests. The rest is reserved for tenants without any. */
const fractionForRunning = 0.75;

/** Weights of the newest request in a tenant's average time. A tenant that becomes slow shows at once. */
const newestWeight = { slower: 0.5, faster: 0.2 };

/** Milliseconds for which the time of the fastest tenant is cached. */
const fastestCacheTime = 1000;

/**
 * Holding the event loop for t milliseconds costs t². A request that arrives at a random moment meets a long hold more
 * often than a short one, and waits for half of it on average. A tenant that pays off `repaidPerMillisecond` delays the
 * requests of others by half of that on average. `holdBudget` allows bursts.
 * Source: mean residual life in renewal theory (the inspection paradox).
 */
const repaidPerMillisecond = 1;

/** Maximum of milliseconds that one hold is charged. The machine causes most holds beyond that. */
const longestHold = 100;

/** Milliseconds of the longest pause. The first requests after a start hold the event loop for long without any attack. */
const longestPause = 2000;

/**
 * Milliseconds of work that may start in one iteration of the event loop. Further requests start in the next iteration,
 * after the events that have arrived in between.
 */
const workPerIteration = 5;

/**
 * Milliseconds of work below which nothing is counted: the debt would be almost zero, and the places of the server limit
 * how many requests start together.
 */
const negligible = 0.5;

/** Debt in ms² up to which a tenant's waiting requests start before those of tenants with more debt. */
const lightDebt = 100;

/** Milliseconds after the last request of another tenant for which the server counts as shared. */
const sharedFor = 10_000;

/** Maximum of tenants to remember. Beyond it, the least recently active tenants without requests are forgotten. */
const rememberedTenants = 10_000;

/**
 * Decides which request runs next, so that no tenant can monopolize the server.
 *
 * A request is
 *
 * - `waiting` in its tenant's queue, until the tenant may run one more request and the server has a place;
 * - `running`: it holds a place of its tenant and a place of the server;
 * - `sending`: the client reads the answer. It holds a place of its tenant only, so that slow clients block no other tenant;
 * - `ended`.
 *
 * Waiting tenants take turns (round robin). Tenants with little debt for holding the event loop come first. A quarter of
 * the server's places is reserved for tenants without running requests. The work that starts in one iteration of the event
 * loop is limited, because requests that start together hold it together.
 *
 * While several tenants use the server, two more rules apply:
 *
 * - A tenant with slow requests runs fewer of them concurrently, down to two. Slowness is relative to the fastest tenant,
 *   whose time shows the latency of the database. For writes, only time on the event loop counts: they may wait for a
 *   commit or a standby, which is no work.
 * - A tenant that has held the event loop for long pauses afterwards.
 */
export class Admission {
  readonly counts = {
    admitted: 0,
    /** Requests that waited for their turn, admitted or not. */
    waited: 0,
    waitSeconds: 0,
    /** Pauses of tenants that had held the event loop. */
    pauses: 0,
    refused: { 'queue full': 0, deadline: 0 } satisfies Record<RefusalReason, number>,
  };
  readonly #limits: AdmissionLimits;
  /** Tenants by id, the least recently active first. */
  readonly #tenants = new Map<string, Tenant>();
  /** Tenants with waiting requests that may run one more, in the order of their turns. */
  readonly #turns = new Set<Tenant>();
  #running = 0;
  #waiting = 0;
  /** Milliseconds of work in this iteration of the event loop: the estimate for started requests, and the time charged. */
  #iteration = 0;
  /** The shortest average time of a tenant, and the time of its computation. */
  #fastest = { time: 0, at: Number.NEGATIVE_INFINITY };
  /** The most recently active tenant, and the time of the last request of any other tenant. */
  #latest: { id: string; at: number; othersAt: number } = { id: '', at: 0, othersAt: Number.NEGATIVE_INFINITY };

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Numbers of running and waiting requests, and of tenants with such requests. */
  get load(): { running: number; waiting: number; tenants: number } {
    const tenants = [...this.#tenants.values()].filter((tenant) => !tenant.isIdle).length;
    return { running: this.#running, waiting: this.#waiting, tenants };
  }

  /** Returns a turn for `tenantId` if one is available at once, and `undefined` otherwise. */
  tryEnter(tenantId: string): Turn | undefined {
    const tenant = this.#tenantOf(tenantId);
    if (tenant.queue.length > 0 || !this.#hasPlace(tenant) || !this.#hasTime(tenant) || !this.#mayRun(tenant))
      return undefined;
    return this.#start(tenant);
  }

  /**
   * Waits for a turn of `tenantId`.
   *
   * @throws RefusedError if the tenant's queue is full or the deadline passes; CancelledError if the client disconnects.
   */
  async enter(tenantId: string, { cancellation, always = false }: EnterOptions): Promise<Turn> {
    const turn = this.tryEnter(tenantId);
    if (turn) return turn;
    const tenant = this.#tenantOf(tenantId);
    if (!always && tenant.queue.length >= this.#limits.queue) throw this.#refuse('queue full');
    const start = performance.now();
    const place = Promise.withResolvers<Turn>();
    try {
      return await cancellation.race(
        () => {
          tenant.queue.push(place);
          this.#waiting++;
          this.#offer(tenant);
          this.#run();
          return place.promise;
        },
        () => this.#leaveQueue(tenant, place),
      );
    } catch (error) {
      if (error instanceof CancelledError && error.reason === 'deadline') throw this.#refuse('deadline');
      throw error;
    } finally {
      this.counts.waited++;
      this.counts.waitSeconds += (performance.now() - start) / 1000;
    }
  }

  /**
   * Runs `work` in a turn of `tenantId`, in the same tick if a turn is available.
   *
   * @throws as `enter`; what `work` throws.
   */
  async run<T>(tenantId: string, options: EnterOptions, work: (turn: Turn) => Promise<T> | T): Promise<T> {
    const turn = this.tryEnter(tenantId) ?? (await this.enter(tenantId, options));
    try {
      return await work(turn);
    } finally {
      turn.end();
    }
  }

  /** @internal For `Turn`. */
  charge(tenant: Tenant, milliseconds: number): void {
    tenant.pay(performance.now());
    const most = this.#limits.holdBudget + longestPause * repaidPerMillisecond;
    tenant.debt = Math.min(most, tenant.debt + Math.min(milliseconds, longestHold) ** 2);
    this.#spend(milliseconds);
  }

  /** @internal For `Turn`. */
  freePlace(tenant: Tenant): void {
    this.#running--;
    this.#offer(tenant);
    this.#run();
  }

  /** @internal For `Turn`. */
  end(tenant: Tenant): void {
    this.#offer(tenant);
    this.#run();
  }

  #refuse(reason: RefusalReason): RefusedError {
    this.counts.refused[reason]++;
    return new RefusedError(reason);
  }

  #leaveQueue(tenant: Tenant, place: PromiseWithResolvers<Turn>): void {
    const index = tenant.queue.indexOf(place);
    if (index < 0) {
      // The request was admitted in this tick, so end its turn unused.
      void place.promise.then((turn) => turn.end());
      return;
    }
    tenant.queue.splice(index, 1);
    this.#waiting--;
    if (tenant.queue.length === 0) this.#turns.delete(tenant);
  }

  /** Gives free places to tenants in turn. */
  #run(): void {
    if (this.#turns.size === 0) return;
    const now = performance.now();
    this.#runWhere((tenant) => tenant.pay(now) <= lightDebt);
    this.#runWhere(() => true);
  }

  #runWhere(isDue: (tenant: Tenant) => boolean): void {
    for (const tenant of this.#turns) {
      if (this.#running >= this.#limits.total) return;
      if (!isDue(tenant) || !this.#hasPlace(tenant)) continue;
      if (!this.#hasTime(tenant)) return;
      this.#turns.delete(tenant);
      const place = tenant.queue.shift();
      if (!place) continue;
      this.#waiting--;
      place.resolve(this.#start(tenant));
      this.#offer(tenant);
    }
  }

  /** Queues a tenant for its next turn if it has waiting requests and may run one. */
  #offer(tenant: Tenant): void {
    if (tenant.queue.length > 0 && this.#mayRun(tenant)) this.#turns.add(tenant);
  }

  #start(tenant: Tenant): Turn {
    this.#running++;
    this.counts.admitted++;
    this.#spend(tenant.held);
    return new Turn(this, tenant);
  }

  /** Whether one more request of the tenant may start in this iteration of the event loop. */
  #hasTime({ held }: Tenant): boolean {
    return this.#iteration === 0 || this.#iteration + held <= workPerIteration;
  }

  /** Counts work in this iteration of the event loop. */
  #spend(milliseconds: number): void {
    if (milliseconds < negligible) return;
    if (this.#iteration === 0) {
      setImmediate(() => {
        this.#iteration = 0;
        this.#run();
      });
    }
    this.#iteration += milliseconds;
  }

  /** Whether the server has a place for one more request of the tenant. */
  #hasPlace({ turns }: Tenant): boolean {
    const { total } = this.#limits;
    return this.#running < (turns.size === 0 ? total : Math.max(1, Math.floor(total * fractionForRunning)));
  }

  #mayRun(tenant: Tenant): boolean {
    if (tenant.turns.size >= this.#limits.perTenant) return false;
    const now = performance.now();
    if (!this.#isShared(tenant, now)) return true;
    if (tenant.turns.size >= this.#allowance(tenant, now)) return false;
    if (tenant.pay(now) <= this.#limits.holdBudget) return true;
    this.#pause(tenant);
    return false;
  }

  #pause(tenant: Tenant): void {
    if (tenant.paused || tenant.queue.length === 0) return;
    this.counts.pauses++;
    tenant.paused = true;
    const milliseconds = Math.min(longestPause, (tenant.debt - this.#limits.holdBudget) / repaidPerMillisecond);
    setTimeout(() => {
      tenant.paused = false;
      this.#offer(tenant);
      this.#run();
    }, milliseconds).unref();
  }

  /** Maximum of concurrent requests of a tenant while other tenants are active. */
  #allowance(tenant: Tenant, now: number): number {
    const time = Math.max(tenant.time ?? 0, tenant.oldestTime(now));
    if (tenant.time === undefined && time < this.#limits.workUnderWay) return firstRequests;
    if (now - this.#fastest.at > fastestCacheTime) this.#fastest = { time: this.#fastestTime(now), at: now };
    const work = Math.max(1, time - this.#fastest.time);
    return Math.max(fewestRequests, Math.floor(this.#limits.workUnderWay / work));
  }

  /** Ignores requests without a statement, because they do not show the latency of the database. */
  #fastestTime(now: number): number {
    let fastest = Number.POSITIVE_INFINITY;
    for (const { queryTime, activeAt } of this.#tenants.values()) {
      if (queryTime !== undefined && now - activeAt < sharedFor) fastest = Math.min(fastest, queryTime);
    }
    return fastest === Number.POSITIVE_INFINITY ? 0 : fastest;
  }

  #isShared({ id }: Tenant, now: number): boolean {
    const { id: latest, at, othersAt } = this.#latest;
    return now - (latest === id ? othersAt : at) < sharedFor;
  }

  #tenantOf(id: string): Tenant {
    const now = performance.now();
    if (this.#latest.id === id) this.#latest.at = now;
    else this.#latest = { id, at: now, othersAt: this.#latest.id === '' ? Number.NEGATIVE_INFINITY : this.#latest.at };
    const tenant = this.#tenants.get(id) ?? new Tenant(id);
    this.#tenants.delete(id);
    this.#tenants.set(id, tenant);
    tenant.activeAt = now;
    for (const [oldest, { isIdle }] of this.#tenants) {
      if (this.#tenants.size <= rememberedTenants || !isIdle) break;
      this.#tenants.delete(oldest);
    }
    return tenant;
  }
}

/** The requests and the measurements of one tenant. */
class Tenant {
  readonly id: string;
  readonly queue: PromiseWithResolvers<Turn>[] = [];
  /** Turns of running and sending requests, the oldest first. */
  readonly turns = new Set<Turn>();
  /** Average time of its requests, in milliseconds; `undefined` until the first has ended. */
  time: number | undefined;
  /** The same for reads that have run a statement. */
  queryTime: number | undefined;
  /** Average time for which its requests hold the event loop, in milliseconds. */
  held = 0;
  activeAt = 0;
  /** Debt for holding the event loop, in ms². */
  debt = 0;
  paused = false;
  #paidAt = 0;

  constructor(id: string) {
    this.id = id;
  }

  get isIdle(): boolean {
    return this.turns.size === 0 && this.queue.length === 0;
  }

  /** Time of the oldest running request, in milliseconds; 0 without one. */
  oldestTime(now: number): number {
    for (const turn of this.turns) if (turn.isRunning) return turn.time(now);
    return 0;
  }

  /** Reduces the debt by the time that has passed. @param now milliseconds of `performance.now()`. @returns the new debt. */
  pay(now: number): number {
    this.debt = Math.max(0, this.debt - (now - this.#paidAt) * repaidPerMillisecond);
    this.#paidAt = now;
    return this.debt;
  }
}

function average(before: number | undefined, latest: number): number {
  if (before === undefined) return latest;
  const weight = latest > before ? newestWeight.slower : newestWeight.faster;
  return (1 - weight) * before + weight * latest;
}

/** A request's permission to run. Its owner must end it, even if the request fails. */
export class Turn {
  readonly #admission: Admission;
  readonly #tenant: Tenant;
  readonly #start = performance.now();
  #state: 'running' | 'sending' | 'ended' = 'running';
  /** Milliseconds for which the request has held the event loop. */
  #held = 0;
  #queried = false;
  #writes = false;

  constructor(admission: Admission, tenant: Tenant) {
    this.#admission = admission;
    this.#tenant = tenant;
    tenant.turns.add(this);
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Time of the request so far, in milliseconds. For a write, only time on the event loop counts. */
  time(now: number): number {
    return this.#writes ? this.#held : now - this.#start;
  }

  /** Notes that the request has held the event loop for `milliseconds`. */
  charge(milliseconds: number): void {
    this.#held += milliseconds;
    if (milliseconds >= negligible) this.#admission.charge(this.#tenant, milliseconds);
  }

  /** Notes that the request has run a statement. */
  queried(): void {
    this.#queried = true;
  }

  /** Notes that the request may wait for a commit, a lock or a standby. */
  writes(): void {
    this.#writes = true;
  }

  /** Frees the server's place, because the answer is complete and only waits for the client. */
  sending(): void {
    if (this.#state !== 'running') return;
    const time = this.time(performance.now());
    this.#state = 'sending';
    this.#tenant.time = average(this.#tenant.time, time);
    this.#tenant.held = average(this.#tenant.held, this.#held);
    if (this.#queried && !this.#writes) this.#tenant.queryTime = average(this.#tenant.queryTime, time);
    this.#admission.freePlace(this.#tenant);
  }

  /** Frees all places. Has no effect on a turn that has ended. */
  end(): void {
    if (this.#state === 'ended') return;
    this.sending();
    this.#state = 'ended';
    this.#tenant.turns.delete(this);
    this.#admission.end(this.#tenant);
  }
}
