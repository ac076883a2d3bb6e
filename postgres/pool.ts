import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { boundedClient } from './boundedClient.ts';
import { Cancellation } from './cancellation.ts';
import { watchCommits } from './commitWait.ts';
import { connectionFault, UnansweredCommitError } from './connectionErrors.ts';
import { ConnectionShares, type Share, type ShareCounts } from './connectionShares.ts';
import { clientOptions } from './connectionString.ts';
import { ConnectRetry } from './connectRetry.ts';
import { FaultLog } from './faultLog.ts';
import { type DestroyReason, Lease, type LeaseOwner, reasonToDestroy } from './lease.ts';
import { keepsPreparedStatements } from './poolerProbe.ts';
import { isForeignSession, isStale } from './prepared.ts';

/** Times in seconds. */
export interface PoolOptions {
  readonly size: number;
  /** Maximum time that a request waits for a connection. */
  readonly timeout: number;
  /** Age at which a new connection replaces an old one. */
  readonly recycle: number;
  /** Time for retries after a failed attempt to connect. The default of 1.5 lets a suspended database wake up. */
  readonly retryTime?: number;
  /** Timeout of one attempt to connect, with TLS and authentication; 1.5 by default. */
  readonly attemptTimeout?: number;
  /** Whether to prepare named statements. A server that does not keep them switches this off. */
  readonly preparedStatements: boolean;
}

/** Options of a checkout. */
export interface Checkout {
  /** Cancels the work. */
  readonly cancellation: Cancellation;
  /** Connection shares that the work counts in; none for short reads. */
  readonly shares?: readonly Share[] | undefined;
  /** Limits the connections of all work with this key; undefined for work without such a limit. */
  readonly fairnessKey?: string | undefined;
}

/** Events since the pool was opened. */
export interface PoolCounts {
  waits: number;
  waitSeconds: number;
  retries: number;
  readonly destroyed: Record<DestroyReason, number>;
  readonly shares: Readonly<Record<Share, ShareCounts>>;
}

/** Maximum of milliseconds between two attempts to connect. */
const maxPause = 250;

/** Counts this role's active sessions by wait event, the most frequent first. */
const waitEvents = `select coalesce(wait_event, 'running') as event, count(*)::int as sessions from pg_stat_activity
  where usename = session_user and datname = current_database() and state = 'active' and pid <> pg_backend_pid()
  group by 1 order by 2 desc`;

/**
 * A pool of connections to `url`. It never reuses a connection in an unknown state.
 *
 * A connection is
 *
 * - _connecting_: attempts are repeated as `ConnectRetry` decides;
 * - _probed_, the first one only: `keepsPreparedStatements` tests whether the server keeps prepared statements;
 * - _leased_ to one request, see `Lease`;
 * - _idle_ after that, or _destroyed_ if its state is unknown.
 *
 * Connection shares limit how many connections each kind of work may have. Requests wait for these shares before they
 * enter the queue of the pool.
 */
export class ConnectionPool {
  readonly counts: PoolCounts;
  readonly shares: ConnectionShares;
  readonly faults: FaultLog;
  readonly #url: string;
  readonly #log: Logger;
  readonly #options: PoolOptions;
  readonly #Client: typeof pg.Client;
  readonly #pool: pg.Pool;
  readonly #retry: ConnectRetry;
  /** Errors of requests that got no connection. */
  readonly #checkoutErrors = new WeakSet<object>();
  readonly #draining = new Set<Lease>();
  /**
   * One object for all leases, and without getters. V8 allocates a getter of an object literal in the old generation. There
   * it keeps all allocations of the request alive until the next full collection.
   */
  readonly #owner: LeaseOwner = {
    prepares: () => this.#prepares,
    isClosing: () => this.#closing,
    ended: (lease, reason) => {
      this.#draining.delete(lease);
      if (reason) this.counts.destroyed[reason]++;
    },
    unanswered: () => this.faults.report(new UnansweredCommitError('the request was canceled during its commit')),
  };
  #closing = false;
  #prepares: boolean;
  /** Whether the test for prepared statements is still to be done. */
  #unprobed: boolean;
  /** The running or finished test for prepared statements; undefined before the first connection. */
  #probe: Promise<void> | undefined;

  constructor(url: string, options: PoolOptions, log: Logger) {
    const { size, timeout, recycle, retryTime = 1.5, attemptTimeout = 1.5, preparedStatements } = options;
    this.#url = url;
    this.#log = log;
    this.#options = options;
    this.#prepares = preparedStatements;
    this.#unprobed = preparedStatements;
    this.#retry = new ConnectRetry(retryTime * 1000, timeout * 1000);
    this.#Client = boundedClient(attemptTimeout * 1000);
    this.shares = new ConnectionShares(size);
    this.counts = {
      waits: 0,
      waitSeconds: 0,
      retries: 0,
      destroyed: { cancelled: 0, lost: 0, 'in transaction': 0, busy: 0, unanswered: 0 },
      shares: this.shares.counts,
    };
    const explainedByWaits = new Set(['writes stalled', 'commit not answered']);
    this.faults = new FaultLog(log, (cause) => (explainedByWaits.has(cause) ? this.#waits() : undefined));
    this.#pool = new pg.Pool({
      ...clientOptions(url),
      max: size,
      connectionTimeoutMillis: timeout * 1000,
      maxLifetimeSeconds: recycle,
      // This timeout is for the wait in the queue, which may take longer than an attempt to connect.
      Client: this.#Client,
    });
    const report = (error: Error) => this.faults.report(error);
    this.#pool.on('error', report);
    this.#pool.on('connect', (client) => {
      // Without a listener, the error of a checked-out connection would end the process.
      client.on('error', report);
      watchCommits(client);
    });
  }

  get load(): { open: number; idle: number; waiting: number; draining: number } {
    const { totalCount: open, idleCount: idle, waitingCount } = this.#pool;
    return { open, idle, waiting: waitingCount + this.shares.waiting, draining: this.#draining.size };
  }

  /** Whether named statements are prepared. The first connection may switch this off. */
  get prepares(): boolean {
    return this.#prepares;
  }

  /**
   * Runs `work` on an exclusive connection, once its shares have room. When `cancellation` cancels the work, the promise
   * rejects at once. `Lease` then decides what happens to the connection.
   *
   * @throws CancelledError; ShareTimeoutError; the error of the last attempt to connect; what `work` throws.
   */
  async use<T>({ cancellation, shares, fairnessKey }: Checkout, work: (lease: Lease) => Promise<T>): Promise<T> {
    const start = performance.now();
    let leave = () => {};
    let client: pg.PoolClient;
    try {
      if (shares?.length)
        leave = await this.shares.enter(shares, fairnessKey, cancellation, this.#options.timeout * 1000);
      client = await this.#checkOut(cancellation, start);
    } catch (error) {
      leave();
      if (connectionFault(error)) {
        this.#checkoutErrors.add(error as Error);
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

  /** Whether the request of `error` got no connection. The pool has then retried already. */
  neverConnected(error: unknown): boolean {
    return this.#checkoutErrors.has(error as Error);
  }

  /**
   * Whether a statement failed without any effect because a prepared statement was stale, so that it may be sent again.
   * Switches prepared statements off if another client uses the same session.
   */
  isStale(error: unknown): boolean {
    if (!isStale(error)) return false;
    if (this.#prepares && isForeignSession(error)) this.#stopPreparing();
    return true;
  }

  /** Closes idle connections, drops draining ones, and waits for the leased ones. */
  close(): Promise<void> {
    this.#closing = true;
    for (const lease of this.#draining) lease.drop();
    return this.#pool.end();
  }

  /** Counts a wait for a connection from `start`, in milliseconds of `performance.now()`, until now. */
  countWait(start: number): void {
    this.counts.waits++;
    this.counts.waitSeconds += (performance.now() - start) / 1000;
  }

  async #checkOut(cancellation: Cancellation, start: number): Promise<pg.PoolClient> {
    for (let pause = 25; ; pause = Math.min(pause * 2, maxPause)) {
      try {
        const client = await this.#connect(cancellation);
        this.#retry.connected();
        return client;
      } catch (error) {
        const fault = connectionFault(error);
        if (!fault?.temporary || !this.#retry.shouldRetry(fault, start)) throw error;
        this.counts.retries++;
      }
      // Jitter: many requests wait for the same database and must not retry at the same moment.
      await sleep(pause * (0.5 + Math.random()));
      cancellation.check();
    }
  }

  async #connect(cancellation: Cancellation): Promise<pg.PoolClient> {
    for (;;) {
      let wanted = true;
      const connect = async () => {
        const client = await this.#pool.connect();
        if (this.#unprobed) await this.#ensureProbed(client);
        if (!wanted) client.release(reasonToDestroy(client) !== undefined);
        return client;
      };
      const client = await cancellation.race(connect, () => {
        wanted = false;
      });
      const reason = reasonToDestroy(client);
      if (!reason) return client;
      // The connection died while it was idle. Nothing was sent on it yet, so take another one.
      this.counts.destroyed[reason]++;
      client.release(true);
    }
  }

  /** Waits for the test for prepared statements, which runs on the first connection. */
  async #ensureProbed(client: pg.PoolClient): Promise<void> {
    try {
      this.#probe ??= this.#runProbe(client);
      await this.#probe;
      this.#unprobed = false;
    } catch (error) {
      this.#probe = undefined;
      client.release(true);
      throw error;
    }
  }

  async #runProbe(client: pg.PoolClient): Promise<void> {
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
      'Use PgBouncer 1.21 or later with max_prepared_statements above 0, or set DB_PREPARED_STATEMENTS=off to switch them off explicitly.';
    this.#log.warn({ advice }, 'prepared statements are switched off: the pooler does not keep them for its clients');
  }

  /** Counts the active sessions of this role by wait event. */
  async #waits(): Promise<{ waits: Record<string, number> }> {
    const cancellation = new Cancellation();
    cancellation.expireIn(1);
    const results = await this.use({ cancellation }, (lease) => lease.send([{ text: waitEvents }]));
    cancellation.end();
    const rows = results[0]?.rows as { event: string; sessions: number }[];
    return { waits: Object.fromEntries(rows.map(({ event, sessions }) => [event, sessions])) };
  }
}
