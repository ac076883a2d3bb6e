import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { boundedClient } from './boundedClient.ts';
import { Cancellation } from './cancellation.ts';
import { watchCommits } from './commitWait.ts';
import { Patience } from './connectBackoff.ts';
import { connectionFault, UnansweredCommitError } from './connectionErrors.ts';
import { clientOptions } from './connectionString.ts';
import { FaultLog } from './faultLog.ts';
import { type Lane, type LaneCounts, Lanes } from './lanes.ts';
import { type DestroyReason, doubt, Lease, type LeaseOwner } from './lease.ts';
import { keepsPreparedStatements } from './poolerProbe.ts';
import { isForeignSession, isStale } from './prepared.ts';

/** Times in seconds. */
export interface PoolOptions {
  readonly size: number;
  /** How long a request waits for a connection. */
  readonly timeout: number;
  /** After how long a connection is replaced by a new one. */
  readonly recycle: number;
  /** How long a database that refuses connections is tried again; 1.5 by default, which lets one wake up. */
  readonly patience?: number;
  /** How long one attempt to connect may take, with TLS and authentication; 1.5 by default. */
  readonly attempt?: number;
  /** Whether named statements are prepared, as long as the server keeps them. */
  readonly preparedStatements: boolean;
}

/** Options of a checkout. */
export interface Checkout {
  /** Gives the work up. */
  readonly cancellation: Cancellation;
  /** Shares of the connections that it counts in; none for short reads. */
  readonly lanes?: readonly Lane[] | undefined;
  /** The user whose share of the lanes is used, or `unnamed`; undefined for work of several tenants. */
  readonly tenant?: string | undefined;
}

/** What the pool has done since it was opened. */
export interface PoolCounts {
  waits: number;
  waitSeconds: number;
  retries: number;
  readonly destroyed: Record<DestroyReason, number>;
  readonly lanes: Readonly<Record<Lane, LaneCounts>>;
}

/** Milliseconds between two attempts to connect, at the most. */
const longestPause = 250;

/** Postgres' reasons for the waits of the server's own sessions, the most frequent first. */
const waitEvents = `select coalesce(wait_event, 'running') as event, count(*)::int as sessions from pg_stat_activity
  where usename = session_user and datname = current_database() and state = 'active' and pid <> pg_backend_pid()
  group by 1 order by 2 desc`;

/** A pool of connections as the role that `url` names, which never hands on a connection whose state is in doubt. */
export class ConnectionPool {
  readonly counts: PoolCounts;
  readonly lanes: Lanes;
  readonly faults: FaultLog;
  readonly #url: string;
  readonly #log: Logger;
  readonly #options: PoolOptions;
  readonly #Client: typeof pg.Client;
  readonly #pool: pg.Pool;
  readonly #patience: Patience;
  /** Errors of requests that got no connection. */
  readonly #unconnected = new WeakSet<object>();
  readonly #draining = new Set<Lease>();
  /**
   * One for all leases, and without getters: V8 allocates a getter of an object literal in the old generation, where it keeps
   * all that the request has allocated until the next full collection.
   */
  readonly #owner: LeaseOwner = {
    prepares: () => this.#prepares,
    isClosing: () => this.#closing,
    ended: (lease, reason) => {
      this.#draining.delete(lease);
      if (reason) this.counts.destroyed[reason]++;
    },
    unanswered: () => this.faults.report(new UnansweredCommitError('the request was given up during its commit')),
  };
  #closing = false;
  #prepares: boolean;
  /** It is not known yet whether the server keeps prepared statements. */
  #unprobed: boolean;
  /** Settles once it is known whether the server keeps prepared statements; undefined before the first connection. */
  #probe: Promise<void> | undefined;

  constructor(url: string, options: PoolOptions, log: Logger) {
    const { size, timeout, recycle, patience = 1.5, attempt = 1.5, preparedStatements } = options;
    this.#url = url;
    this.#log = log;
    this.#options = options;
    this.#prepares = preparedStatements;
    this.#unprobed = preparedStatements;
    this.#patience = new Patience(patience * 1000, timeout * 1000);
    this.#Client = boundedClient(attempt * 1000);
    this.lanes = new Lanes(size);
    this.counts = {
      waits: 0,
      waitSeconds: 0,
      retries: 0,
      destroyed: { cancelled: 0, lost: 0, 'in transaction': 0, busy: 0, unanswered: 0 },
      lanes: this.lanes.counts,
    };
    const explainedByWaits = new Set(['writes stalled', 'commit not answered']);
    this.faults = new FaultLog(log, (cause) => (explainedByWaits.has(cause) ? this.#waits() : undefined));
    this.#pool = new pg.Pool({
      ...clientOptions(url),
      max: size,
      connectionTimeoutMillis: timeout * 1000,
      maxLifetimeSeconds: recycle,
      // The pool's own timeout is for waiting, which may be longer than an attempt to connect.
      Client: this.#Client,
    });
    const report = (error: Error) => this.faults.report(error);
    this.#pool.on('error', report);
    this.#pool.on('connect', (client) => {
      // Without this a connection that dies while it is checked out ends the process.
      client.on('error', report);
      watchCommits(client);
    });
  }

  get load(): { open: number; idle: number; waiting: number; draining: number } {
    const { totalCount: open, idleCount: idle, waitingCount } = this.#pool;
    return { open, idle, waiting: waitingCount + this.lanes.waiting, draining: this.#draining.size };
  }

  /** Whether named statements are prepared. Known once there has been a connection. */
  get prepares(): boolean {
    return this.#prepares;
  }

  /**
   * Runs `work` on a connection that is no one else's meanwhile, once its lanes have room. When `cancellation` gives up, the
   * caller is answered; what becomes of the connection is said at `Lease`.
   *
   * @throws CancelledError; LaneTimeoutError; what keeps a connection from coming about; what `work` throws.
   */
  async use<T>({ cancellation, lanes, tenant }: Checkout, work: (lease: Lease) => Promise<T>): Promise<T> {
    const start = performance.now();
    let leave = () => {};
    let client: pg.PoolClient;
    try {
      if (lanes?.length) leave = await this.lanes.enter(lanes, tenant, cancellation, this.#options.timeout * 1000);
      client = await this.#checkOut(cancellation, start);
    } catch (error) {
      leave();
      if (connectionFault(error)) {
        this.#unconnected.add(error as Error);
        this.faults.report(error);
      }
      throw error;
    } finally {
      this.countWait(start);
    }
    const lease = new Lease(client, this.#owner, leave);
    try {
      cancellation.check();
    } catch (error) {
      lease.release();
      throw error;
    }
    return cancellation.race(
      () => lease.run(work),
      () => {
        lease.giveUp();
        if (lease.isDraining) this.#draining.add(lease);
      },
    );
  }

  /** Whether `error` is of a request that got no connection, so that trying again has been tried. */
  neverConnected(error: unknown): boolean {
    return this.#unconnected.has(error as Error);
  }

  /**
   * Takes notice of an error of a statement.
   *
   * @returns whether the statement may be sent again, because what the connection keeps prepared was the fault.
   */
  isStale(error: unknown): boolean {
    if (!isStale(error)) return false;
    if (this.#prepares && isForeignSession(error)) this.#stopPreparing();
    return true;
  }

  close(): Promise<void> {
    this.#closing = true;
    for (const lease of this.#draining) lease.drop();
    return this.#pool.end();
  }

  /** Counts somebody who waited for a connection from `start` until now, in milliseconds of `performance.now()`. */
  countWait(start: number): void {
    this.counts.waits++;
    this.counts.waitSeconds += (performance.now() - start) / 1000;
  }

  async #checkOut(cancellation: Cancellation, start: number): Promise<pg.PoolClient> {
    for (let pause = 25; ; pause = Math.min(pause * 2, longestPause)) {
      try {
        const client = await this.#connect(cancellation);
        this.#patience.connected();
        return client;
      } catch (error) {
        const fault = connectionFault(error);
        if (!fault?.passes || !this.#patience.goesOn(fault, start)) throw error;
        this.counts.retries++;
      }
      // Jitter: many requests wait for the same database, and should not come back all at once.
      await sleep(pause * (0.5 + Math.random()));
      cancellation.check();
    }
  }

  async #connect(cancellation: Cancellation): Promise<pg.PoolClient> {
    for (;;) {
      let wanted = true;
      const connect = async () => {
        const client = await this.#pool.connect();
        if (this.#unprobed) await this.#probed(client);
        if (!wanted) client.release(doubt(client) !== undefined);
        return client;
      };
      const client = await cancellation.race(connect, () => {
        wanted = false;
      });
      const reason = doubt(client);
      if (!reason) return client;
      // It died while it was idle, and nothing was sent on it yet: another one, and the request does not notice.
      this.counts.destroyed[reason]++;
      client.release(true);
    }
  }

  /** Resolves once it is known whether the server keeps prepared statements. The first connection finds out. */
  async #probed(client: pg.PoolClient): Promise<void> {
    try {
      this.#probe ??= this.#findOut(client);
      await this.#probe;
      this.#unprobed = false;
    } catch (error) {
      this.#probe = undefined;
      client.release(true);
      throw error;
    }
  }

  async #findOut(client: pg.PoolClient): Promise<void> {
    const openOther = async () => {
      const other = new this.#Client(clientOptions(this.#url));
      other.on('error', () => {});
      await other.connect();
      return other;
    };
    if (!(await keepsPreparedStatements(client, openOther))) this.#stopPreparing();
  }

  #stopPreparing(): void {
    this.#prepares = false;
    const advice =
      'Use PgBouncer 1.21 or later with max_prepared_statements above 0, or set DB_PREPARED_STATEMENTS=off to say so yourself.';
    this.#log.warn({ advice }, 'prepared statements are switched off: the pooler does not keep them for its clients');
  }

  /** The server's own sessions by the wait event of Postgres. */
  async #waits(): Promise<{ waits: Record<string, number> }> {
    const cancellation = new Cancellation();
    cancellation.expireIn(1);
    const results = await this.use({ cancellation }, (lease) => lease.send([{ text: waitEvents }]));
    cancellation.end();
    const rows = results[0]?.rows as { event: string; sessions: number }[];
    return { waits: Object.fromEntries(rows.map(({ event, sessions }) => [event, sessions])) };
  }
}
