import { type Cancellation, CancelledError } from '../database/cancellation.ts';

export interface AdmissionLimits {
  /** Requests of all tenants that run at the same time. */
  readonly total: number;
  /** Requests of one tenant that run at the same time. */
  readonly perTenant: number;
  /** Requests of one tenant that may wait for their turn. */
  readonly queue: number;
  /**
   * The work that one tenant may have under way beside others, in milliseconds: as many requests run as take this long
   * together.
   */
  readonly workUnderWay: number;
  /** What a tenant may spend on holding the event loop before it pauses, in ms². */
  readonly holdBudget: number;
}

/** Places for each database connection: connections are shared by transactions, and some requests need none. */
const placesPerConnection = 4;

/** The limits of a server with `connections` database connections. */
export function admissionLimits(connections: number, { perTenant = 10, queue = 50 } = {}): AdmissionLimits {
  return { total: placesPerConnection * connections, perTenant, queue, workUnderWay: 40, holdBudget: 2500 };
}

export interface EnterOptions {
  /** Ends the wait. */
  readonly cancellation: Cancellation;
  /** For work whose amount is bounded elsewhere: it waits however long the tenant's queue is. */
  readonly always?: boolean;
}

/** The tenant has too many requests waiting, or this one waited for longer than it may take. */
export class RefusedError extends Error {
  readonly reason: RefusalReason;
  constructor(reason: RefusalReason) {
    super(`not admitted: ${reason}`);
    this.reason = reason;
  }
}

export type RefusalReason = 'queue full' | 'deadline';

/** Requests at a time of a tenant that is not known yet. */
const firstRequests = 2;

/** The weight of the newest request in a tenant's average time. */
const newest = 0.2;

/** Milliseconds after which the time of the quickest tenant is looked up again. */
const quickestTime = 1000;

/**
 * The price of holding the event loop for t milliseconds is t². Somebody who comes at a random moment meets a long hold
 * more often than a short one, and waits for half of it: a tenant that pays `perMillisecond` makes everybody else's
 * requests wait for half of that on average. `holdBudget` is saved up, which allows bursts.
 * Source: mean residual life in renewal theory (the inspection paradox).
 */
const perMillisecond = 1;

/** Milliseconds of one hold that are charged at most: beyond it the cause is mostly the machine. */
const longestHold = 200;

/** Milliseconds for which another tenant's last request counts as company. */
const companyTime = 60_000;

/** Tenants whose average is remembered while they have nothing under way. */
const rememberedTenants = 10_000;

/**
 * Decides whose request runs next, so that no tenant can take the server from the others.
 *
 * A request is
 * - `waiting` in its tenant's queue, until the tenant may run one more and the server has a place;
 * - `running`: it holds a place of its tenant's and one of the server's;
 * - `sending`: the client reads the answer. It holds a place of its tenant's only, so that slow readers keep nobody out;
 * - `ended`.
 *
 * Tenants that wait take turns (round robin). How many requests of a tenant run at a time follows from how much longer
 * they take than those of the quickest tenant, which shows what the network costs: `perTenant` of quick ones, one at a
 * time of slow ones. A tenant that holds the event loop for long pauses afterwards. Neither applies while nobody else
 * uses the server.
 */
export class Admission {
  readonly counts = {
    admitted: 0,
    /** Admitted after a wait. */
    waited: 0,
    waitSeconds: 0,
    /** Times that a tenant paused because it had held the event loop. */
    pauses: 0,
    refused: { 'queue full': 0, deadline: 0 } satisfies Record<RefusalReason, number>,
  };
  readonly #limits: AdmissionLimits;
  /** The tenant that was active last is the last. */
  readonly #tenants = new Map<string, Tenant>();
  /** Tenants that wait and may run one more request, in the order of their turns. */
  readonly #turns = new Set<Tenant>();
  #running = 0;
  #waiting = 0;
  /** Average time of the tenant whose requests are the quickest, and when it was looked up. */
  #quickest = { time: 0, at: Number.NEGATIVE_INFINITY };
  /** Who was active last, and when somebody else was. */
  #latest: { id: string; at: number; othersAt: number } = { id: '', at: 0, othersAt: Number.NEGATIVE_INFINITY };

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Requests that run and that wait, and tenants that have any of them. */
  get load(): { running: number; waiting: number; tenants: number } {
    const tenants = [...this.#tenants.values()].filter((tenant) => !tenant.isIdle).length;
    return { running: this.#running, waiting: this.#waiting, tenants };
  }

  /** A turn for `tenantId` if it need not wait for one; `undefined` otherwise. */
  tryEnter(tenantId: string): Turn | undefined {
    const tenant = this.#tenantOf(tenantId);
    if (tenant.queue.length > 0 || this.#running >= this.#limits.total || !this.#mayRun(tenant)) return undefined;
    return this.#start(tenant);
  }

  /**
   * Waits for a turn of `tenantId`.
   *
   * @throws RefusedError when the tenant's queue is full or the deadline passes; CancelledError when the client leaves.
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
   * Runs `work` when it is the turn of `tenantId`; in the same tick if it need not wait.
   *
   * @throws as `enter`, and what `work` throws.
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
    tenant.debt += Math.min(milliseconds, longestHold) ** 2;
  }

  /** @internal For `Turn`. */
  freePlace(tenant: Tenant, milliseconds: number): void {
    this.#running--;
    tenant.time = tenant.time === undefined ? milliseconds : (1 - newest) * tenant.time + newest * milliseconds;
    this.#offer(tenant);
    this.#run();
  }

  /** @internal For `Turn`. */
  end(tenant: Tenant): void {
    tenant.running--;
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
      // It has just been admitted, and nobody takes the turn any more.
      void place.promise.then((turn) => turn.end());
      return;
    }
    tenant.queue.splice(index, 1);
    this.#waiting--;
    if (tenant.queue.length === 0) this.#turns.delete(tenant);
  }

  /** Gives free places to the tenants whose turn it is. */
  #run(): void {
    while (this.#running < this.#limits.total) {
      const [tenant] = this.#turns;
      if (!tenant) return;
      this.#turns.delete(tenant);
      const place = tenant.queue.shift();
      if (!place) continue;
      this.#waiting--;
      place.resolve(this.#start(tenant));
      this.#offer(tenant);
    }
  }

  /** Lines a tenant up for its next turn if it waits for one and may have it. */
  #offer(tenant: Tenant): void {
    if (tenant.queue.length > 0 && this.#mayRun(tenant)) this.#turns.add(tenant);
  }

  #start(tenant: Tenant): Turn {
    this.#running++;
    tenant.running++;
    this.counts.admitted++;
    return new Turn(this, tenant);
  }

  #mayRun(tenant: Tenant): boolean {
    if (tenant.running >= this.#limits.perTenant) return false;
    const now = performance.now();
    if (!this.#hasCompany(tenant, now)) return true;
    if (tenant.running >= this.#allowance(tenant, now)) return false;
    tenant.pay(now);
    if (tenant.debt <= this.#limits.holdBudget) return true;
    this.#pause(tenant);
    return false;
  }

  #pause(tenant: Tenant): void {
    if (tenant.paused || tenant.queue.length === 0) return;
    this.counts.pauses++;
    tenant.paused = true;
    const milliseconds = (tenant.debt - this.#limits.holdBudget) / perMillisecond;
    setTimeout(() => {
      tenant.paused = false;
      this.#offer(tenant);
      this.#run();
    }, milliseconds).unref();
  }

  /** Requests that a tenant may run at a time beside others. */
  #allowance({ time }: Tenant, now: number): number {
    if (time === undefined) return firstRequests;
    if (now - this.#quickest.at > quickestTime) this.#quickest = { time: this.#quickestTime(now), at: now };
    const work = Math.max(1, time - this.#quickest.time);
    return Math.max(1, Math.floor(this.#limits.workUnderWay / work));
  }

  #quickestTime(now: number): number {
    let quickest = Number.POSITIVE_INFINITY;
    for (const { time, activeAt } of this.#tenants.values()) {
      if (time !== undefined && now - activeAt < companyTime) quickest = Math.min(quickest, time);
    }
    return quickest === Number.POSITIVE_INFINITY ? 0 : quickest;
  }

  #hasCompany({ id }: Tenant, now: number): boolean {
    const { id: latest, at, othersAt } = this.#latest;
    return now - (latest === id ? othersAt : at) < companyTime;
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

/** One tenant's share of the server. */
class Tenant {
  readonly id: string;
  readonly queue: PromiseWithResolvers<Turn>[] = [];
  /** Requests that run, and those whose answers are being sent. */
  running = 0;
  /** Average time of its requests, in milliseconds; `undefined` until the first has ended. */
  time: number | undefined;
  activeAt = 0;
  /** What it has to pay for holding the event loop. */
  debt = 0;
  paused = false;
  #paidAt = 0;

  constructor(id: string) {
    this.id = id;
  }

  get isIdle(): boolean {
    return this.running === 0 && this.queue.length === 0;
  }

  /** @param now in milliseconds of `performance.now()`. */
  pay(now: number): void {
    this.debt = Math.max(0, this.debt - (now - this.#paidAt) * perMillisecond);
    this.#paidAt = now;
  }
}

/** A request's permission to run. It has to be ended, whatever becomes of the request. */
export class Turn {
  readonly #admission: Admission;
  readonly #tenant: Tenant;
  readonly #start = performance.now();
  #state: 'running' | 'sending' | 'ended' = 'running';

  constructor(admission: Admission, tenant: Tenant) {
    this.#admission = admission;
    this.#tenant = tenant;
  }

  /** Notes that the request has held the event loop for `milliseconds`. */
  charge(milliseconds: number): void {
    this.#admission.charge(this.#tenant, milliseconds);
  }

  /** The answer is complete, and waits for the client to read it. */
  sending(): void {
    if (this.#state !== 'running') return;
    this.#state = 'sending';
    this.#admission.freePlace(this.#tenant, performance.now() - this.#start);
  }

  /** Does nothing where the turn has ended. */
  end(): void {
    if (this.#state === 'ended') return;
    this.sending();
    this.#state = 'ended';
    this.#admission.end(this.#tenant);
  }
}
