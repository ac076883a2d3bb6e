import { type Cancellation, CancelledError } from '../../postgres/cancellation.ts';

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
  /** Debt for holding the event loop that a tenant may have before it pauses, in ms². */
  readonly holdBudget: number;
}

/** Places for each database connection: connections are shared by transactions, and some requests need none. */
const placesPerConnection = 4;

/** The limits of a server with `connections` database connections. */
export function admissionLimits(connections: number, { perTenant = 10, queue = 50 } = {}): AdmissionLimits {
  return { total: placesPerConnection * connections, perTenant, queue, workUnderWay: 40, holdBudget: 500 };
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

/**
 * The fewest requests at a time of a tenant with slow requests, beside others. Two, because one waits for the database
 * while the other needs the processor.
 */
const fewestRequests = 2;

/** The share of the places that tenants with running requests may have. The rest is for tenants that have none. */
const shareOfRunning = 0.75;

/** The weight of the newest request in a tenant's average time: a tenant that turns slow is noticed at once. */
const newest = { slower: 0.5, quicker: 0.2 };

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
const longestHold = 100;

/** The longest pause, in milliseconds: the first requests after a start hold the event loop for long, and are no attack. */
const longestPause = 2000;

/**
 * Milliseconds of work that requests may begin in one iteration of the event loop. Those that come beyond it begin in the
 * next one, behind the events that have come meanwhile.
 */
const workPerIteration = 5;

/**
 * Milliseconds of work that are not worth counting: the debt for them is next to nothing, and the places of the server bound
 * how many requests begin together.
 */
const negligible = 0.5;

/** Debt in ms² up to which a tenant's waiting requests begin before those of tenants with more. */
const lightDebt = 100;

/** Milliseconds after the last request of another tenant for which the server counts as shared. */
const sharedFor = 10_000;

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
 * Tenants that wait take turns (round robin): first those that have held the event loop little, then the others. A quarter
 * of the places is kept for tenants that have no running request. What begins in one iteration of the event loop is
 * bounded, because requests that begin together hold it together.
 *
 * While other tenants use the server too, two more rules apply:
 * - A tenant with slow requests runs fewer at a time, down to two. Slow is measured against the quickest tenant, whose
 *   time shows the latency of the database. Of writes only the time on the event loop counts: they may wait for a commit
 *   or a standby, which is no work.
 * - A tenant that has held the event loop for long pauses afterwards.
 */
export class Admission {
  readonly counts = {
    admitted: 0,
    /** Requests that waited for their turn, admitted or not. */
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
  /** Milliseconds of work in this iteration of the event loop: expected of what began, and counted so far. */
  #iteration = 0;
  /** The shortest average time of a tenant, and when it was looked up. */
  #quickest = { time: 0, at: Number.NEGATIVE_INFINITY };
  /** The tenant that was active last, and the time of the last request of any other tenant. */
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
    if (tenant.queue.length > 0 || !this.#hasPlace(tenant) || !this.#hasTime(tenant) || !this.#mayRun(tenant))
      return undefined;
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
    const most = this.#limits.holdBudget + longestPause * perMillisecond;
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

  /** Lines a tenant up for its next turn if it waits for one and may have it. */
  #offer(tenant: Tenant): void {
    if (tenant.queue.length > 0 && this.#mayRun(tenant)) this.#turns.add(tenant);
  }

  #start(tenant: Tenant): Turn {
    this.#running++;
    this.counts.admitted++;
    this.#spend(tenant.held);
    return new Turn(this, tenant);
  }

  /** Whether one more request of the tenant may begin in this iteration of the event loop. */
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
    return this.#running < (turns.size === 0 ? total : Math.max(1, Math.floor(total * shareOfRunning)));
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
    const milliseconds = Math.min(longestPause, (tenant.debt - this.#limits.holdBudget) / perMillisecond);
    setTimeout(() => {
      tenant.paused = false;
      this.#offer(tenant);
      this.#run();
    }, milliseconds).unref();
  }

  /** Requests that a tenant may run at a time beside others. */
  #allowance(tenant: Tenant, now: number): number {
    const time = Math.max(tenant.time ?? 0, tenant.oldestTime(now));
    if (tenant.time === undefined && time < this.#limits.workUnderWay) return firstRequests;
    if (now - this.#quickest.at > quickestTime) this.#quickest = { time: this.#quickestTime(now), at: now };
    const work = Math.max(1, time - this.#quickest.time);
    return Math.max(fewestRequests, Math.floor(this.#limits.workUnderWay / work));
  }

  /** Requests without a statement say nothing about the latency of the database, and do not count. */
  #quickestTime(now: number): number {
    let quickest = Number.POSITIVE_INFINITY;
    for (const { queryTime, activeAt } of this.#tenants.values()) {
      if (queryTime !== undefined && now - activeAt < sharedFor) quickest = Math.min(quickest, queryTime);
    }
    return quickest === Number.POSITIVE_INFINITY ? 0 : quickest;
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

/** One tenant's share of the server. */
class Tenant {
  readonly id: string;
  readonly queue: PromiseWithResolvers<Turn>[] = [];
  /** Turns of requests that run and of those whose answers are being sent, the oldest first. */
  readonly turns = new Set<Turn>();
  /** Average time of its requests, in milliseconds; `undefined` until the first has ended. */
  time: number | undefined;
  /** The same of those that have run a statement. */
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

  /** Time of the oldest request that still runs, in milliseconds. */
  oldestTime(now: number): number {
    for (const turn of this.turns) if (turn.isRunning) return turn.time(now);
    return 0;
  }

  /** @param now in milliseconds of `performance.now()`. @returns the debt that is left. */
  pay(now: number): number {
    this.debt = Math.max(0, this.debt - (now - this.#paidAt) * perMillisecond);
    this.#paidAt = now;
    return this.debt;
  }
}

function average(before: number | undefined, latest: number): number {
  if (before === undefined) return latest;
  const weight = latest > before ? newest.slower : newest.quicker;
  return (1 - weight) * before + weight * latest;
}

/** A request's permission to run. It has to be ended, whatever becomes of the request. */
export class Turn {
  readonly #admission: Admission;
  readonly #tenant: Tenant;
  readonly #start = performance.now();
  #state: 'running' | 'sending' | 'ended' = 'running';
  /** Time for which it has held the event loop, in milliseconds. */
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

  /** Time of the request so far, in milliseconds: of a write only that on the event loop. */
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

  /** The answer is complete, and waits for the client to read it. */
  sending(): void {
    if (this.#state !== 'running') return;
    const time = this.time(performance.now());
    this.#state = 'sending';
    this.#tenant.time = average(this.#tenant.time, time);
    this.#tenant.held = average(this.#tenant.held, this.#held);
    if (this.#queried && !this.#writes) this.#tenant.queryTime = average(this.#tenant.queryTime, time);
    this.#admission.freePlace(this.#tenant);
  }

  /** Does nothing where the turn has ended. */
  end(): void {
    if (this.#state === 'ended') return;
    this.sending();
    this.#state = 'ended';
    this.#tenant.turns.delete(this);
    this.#admission.end(this.#tenant);
  }
}
