import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Cancellation } from './cancellation.ts';
import { requestCancel } from './cancelRequest.ts';
import { type ConnectionFault, connectionFault } from './connectionErrors.ts';
import { clientOptions } from './connectionString.ts';

/** Times in seconds. */
export interface PoolOptions {
  readonly size: number;
  /** How long a request waits for a connection. */
  readonly timeout: number;
  /** After how long a connection is replaced by a new one. */
  readonly recycle: number;
  /** How long a database that refuses connections is tried again; 1.5 by default, which lets one wake up. */
  readonly patience?: number;
}

/** Why a connection was thrown away instead of given to the next request. */
type DestroyReason = 'cancelled' | 'lost' | 'in transaction' | 'busy';

/** What the pool has done since it was opened. */
export interface PoolCounts {
  waits: number;
  waitSeconds: number;
  retries: number;
  /** Transactions that went to Postgres in one write with others. */
  shared: number;
  /** Transactions that took too long for those behind them, and were run again on their own. */
  apart: number;
  readonly destroyed: Record<DestroyReason, number>;
}

/** Milliseconds between two attempts to connect, at the most. */
const longestPause = 250;

/** A pool of connections as the role that `url` names, which never hands on a connection whose state is in doubt. */
export class ConnectionPool {
  readonly counts: PoolCounts = {
    ...{ waits: 0, waitSeconds: 0, retries: 0, shared: 0, apart: 0 },
    destroyed: { cancelled: 0, lost: 0, 'in transaction': 0, busy: 0 },
  };
  readonly #pool: pg.Pool;
  readonly #log: Logger;
  readonly #patience: number;
  #lastReport = { cause: '', at: 0 };

  constructor(url: string, { size, timeout, recycle, patience = 1.5 }: PoolOptions, log: Logger) {
    this.#log = log;
    this.#patience = patience * 1000;
    this.#pool = new pg.Pool({
      ...clientOptions(url),
      ...{ max: size, connectionTimeoutMillis: timeout * 1000, maxLifetimeSeconds: recycle },
    });
    const report = (error: Error) => this.#report(error);
    this.#pool.on('error', report);
    // Without this a connection that dies while it is checked out ends the process.
    this.#pool.on('connect', (client) => client.on('error', report));
  }

  get load(): { open: number; idle: number; waiting: number } {
    return { open: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#pool.waitingCount };
  }

  /**
   * Runs `work` on a connection that is no one else's meanwhile. Once `cancellation` gives up, the statement under way
   * is cancelled in Postgres and the connection destroyed.
   */
  async use<T>(cancellation: Cancellation, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#checkOut(cancellation);
    let released = false;
    const release = (reason: DestroyReason | undefined) => {
      if (released) return;
      released = true;
      if (reason) this.counts.destroyed[reason]++;
      client.release(reason !== undefined);
    };
    try {
      return await cancellation.race(
        () => work(client),
        () => {
          requestCancel(client);
          release('cancelled');
        },
      );
    } finally {
      release(doubt(client));
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  /** Counts somebody who waited for a connection from `start` until now, in milliseconds of `performance.now()`. */
  countWait(start: number): void {
    this.counts.waits++;
    this.counts.waitSeconds += (performance.now() - start) / 1000;
  }

  async #checkOut(cancellation: Cancellation): Promise<pg.PoolClient> {
    const start = performance.now();
    try {
      for (let pause = 25; ; pause = Math.min(pause * 2, longestPause)) {
        try {
          return await this.#connect(cancellation);
        } catch (error) {
          const fault = connectionFault(error);
          if (!fault?.passes || performance.now() - start >= this.#patience) throw error;
          this.counts.retries++;
        }
        // Jitter: many requests wait for the same database, and should not come back all at once.
        await sleep(pause * (0.5 + Math.random()));
        cancellation.check();
      }
    } catch (error) {
      if (connectionFault(error)) this.#report(error as Error);
      throw error;
    } finally {
      this.countWait(start);
    }
  }

  async #connect(cancellation: Cancellation): Promise<pg.PoolClient> {
    for (;;) {
      let wanted = true;
      const connect = async () => {
        const client = await this.#pool.connect();
        if (!wanted) client.release();
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

  /** Logs a fault with what to do, once in ten seconds for the same cause: every waiting request has the same news. */
  #report(error: Error): void {
    const { cause, advice } = connectionFault(error) ?? ({ cause: 'unknown', advice: '' } as ConnectionFault);
    const now = Date.now();
    if (cause === this.#lastReport.cause && now - this.#lastReport.at < 10_000) return;
    this.#lastReport = { cause, at: now };
    this.#log.warn({ err: error, cause, advice }, 'database connection failed');
  }
}

/** Why a connection must not be used again; undefined when it is known to be idle, outside any transaction. */
function doubt(client: pg.PoolClient): DestroyReason | undefined {
  const { _queryable, readyForQuery, connection } = client as unknown as {
    _queryable: boolean;
    readyForQuery: boolean;
    connection: { stream: { writable: boolean } };
  };
  if (!_queryable || !connection.stream.writable) return 'lost';
  if (!readyForQuery) return 'busy';
  return client.getTransactionStatus() === 'I' ? undefined : 'in transaction';
}
