import type pg from 'pg';
import type { Logger } from 'pino';
import { type Cancellation, CancelledError } from './cancellation.ts';
import { connectionFault } from './connectionErrors.ts';
import type { Freshness } from './identity.ts';
import { ConnectionPool, type PoolOptions } from './pool.ts';
import type { Result, Statement } from './statement.ts';

/** Milliseconds for which a replica that did not answer is left out. */
const rest = 5000;

export interface ReplicaCounts {
  /** Reads that the replica answered. */
  answered: number;
  /** Reads that went to the primary because the replica had not replayed the user's last write. */
  behind: number;
  /** Reads that went to the primary because the replica was away, or failed. */
  failed: number;
}

type Send = (client: pg.PoolClient, statements: readonly Statement[]) => Promise<Result<unknown>[]>;

/**
 * Reads on a streaming replica that are never older than what the user has written, and never made for a session that
 * has ended. The replica answers while the primary is asked, at the same time, whether the session lives and what the
 * user wrote last; the answer counts only if the replica, in the same transaction, had that write already.
 */
export class Replica {
  readonly counts: ReplicaCounts = { answered: 0, behind: 0, failed: 0 };
  readonly #pool: ConnectionPool;
  readonly #primary: ConnectionPool;
  readonly #send: Send;
  #restUntil = 0;

  constructor(url: string, primary: ConnectionPool, send: Send, options: PoolOptions, log: Logger) {
    this.#pool = new ConnectionPool(url, { ...options, patience: 0 }, log.child({ database: 'replica' }));
    this.#primary = primary;
    this.#send = send;
  }

  /**
   * The results of `statements`, or undefined where the primary has to give them.
   *
   * @throws what the primary says of the session, or that it is away: then nobody can tell whether the session lives.
   */
  async read(
    { check }: Freshness,
    cancellation: Cancellation,
    statements: readonly Statement[],
  ): Promise<Result<unknown>[] | undefined> {
    if (performance.now() < this.#restUntil) {
      this.counts.failed++;
      return undefined;
    }
    const [asked, answered] = await Promise.allSettled([
      this.#primary.use(cancellation, (client) => this.#send(client, [check])),
      this.#pool.use(cancellation, (client) => this.#send(client, [check, ...statements])),
    ]);
    if (asked.status === 'rejected') throw asked.reason;
    if (answered.status === 'rejected') {
      if (answered.reason instanceof CancelledError) throw answered.reason;
      if (connectionFault(answered.reason)) this.#restUntil = performance.now() + rest;
      this.counts.failed++;
      return undefined;
    }
    const [shown, ...results] = answered.value;
    if (written(shown) !== written(asked.value[0])) {
      this.counts.behind++;
      return undefined;
    }
    this.counts.answered++;
    return results;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

function written(result: Result<unknown> | undefined): string | null | undefined {
  return (result as Result<{ written: string | null }> | undefined)?.rows[0]?.written;
}
