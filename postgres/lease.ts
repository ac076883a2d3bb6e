import type pg from 'pg';
import { Batch } from './batch.ts';
import { requestCancel } from './internals/cancelRequest.ts';
import { isQueryable, isReadyForQuery, streamOf } from './internals/nodePostgres.ts';
import type { Result, Statement } from './statement.ts';

/** Reasons to destroy a connection instead of reusing it. */
export type DestroyReason = 'cancelled' | 'lost' | 'in transaction' | 'busy' | 'unanswered';

/** The pool's side of a lease. */
export interface LeaseOwner {
  /** Whether named statements are prepared on the connection. */
  prepares(): boolean;
  /** Whether the pool is closing, so that leases do not wait for answers. */
  isClosing(): boolean;
  /** Called when the lease ends. @param reason why the connection was destroyed; undefined if it can be reused. */
  ended(lease: Lease, reason: DestroyReason | undefined): void;
  /** Called when an abandoned commit still has no answer after a second. */
  unanswered(): void;
}

/** Milliseconds until an unanswered commit is reported, and until its connection is dropped. */
const unansweredAfter = { report: 1000, drop: 5 * 60_000 };

/**
 * One connection, checked out for one piece of work.
 *
 * - _active_: the work runs. When it settles, the connection returns to the pool. If its state is unknown, the pool
 *   destroys it.
 * - _canceled_: the request was canceled before it sent anything that can commit. The lease asks Postgres to cancel the
 *   statement, and destroys the connection.
 * - _draining_: the request was canceled after that. A cancel request would end a commit's wait for a synchronous standby:
 *   the row would be visible, and a failover would lose it. Closing the socket would leave the backend running. So the
 *   lease keeps the connection until Postgres answers. After five minutes, or when the pool closes, it drops the
 *   connection without a cancel request.
 */
export class Lease {
  readonly client: pg.PoolClient;
  readonly #owner: LeaseOwner;
  readonly #leave: () => void;
  #mayCommit = false;
  #over = false;
  #timers: NodeJS.Timeout[] = [];

  /** @param leave called once the connection is free or destroyed. */
  constructor(client: pg.PoolClient, owner: LeaseOwner, leave: () => void) {
    this.client = client;
    this.#owner = owner;
    this.#leave = leave;
  }

  /**
   * Sends `statements` as one batch.
   *
   * @param mayCommit whether the batch can commit a write. After such a batch, the lease sends no cancel request.
   * @throws pg.DatabaseError; the error of the connection.
   */
  send(statements: readonly Statement[], mayCommit = false): Promise<Result<unknown>[]> {
    const batch = new Batch(statements, this.#owner.prepares());
    if (mayCommit) this.markCommitting();
    this.client.query(batch as never);
    return batch.done;
  }

  /** Marks the connection as possibly committing from now on. */
  markCommitting(): void {
    this.#mayCommit = true;
  }

  async run<T>(work: (lease: Lease) => Promise<T>): Promise<T> {
    try {
      return await work(this);
    } finally {
      this.release();
    }
  }

  /** Returns the connection to the pool, or destroys it if its state is unknown. */
  release(): void {
    this.#end(reasonToDestroy(this.client));
  }

  /** Ends the lease because its request was canceled; see the states above. */
  giveUp(): void {
    if (this.#over) return;
    if (!this.#mayCommit) {
      requestCancel(this.client);
      this.#end('cancelled');
    } else if (this.#owner.isClosing()) {
      this.drop();
    } else {
      const report = setTimeout(() => this.#owner.unanswered(), unansweredAfter.report);
      this.#timers = [report.unref(), setTimeout(() => this.drop(), unansweredAfter.drop).unref()];
    }
  }

  get isDraining(): boolean {
    return this.#timers.length > 0 && !this.#over;
  }

  /** Closes the connection, even during a commit. */
  drop(): void {
    this.#end('unanswered');
  }

  #end(reason: DestroyReason | undefined): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.client.release(reason !== undefined);
    this.#owner.ended(this, reason);
    this.#leave();
  }
}

/** The reason not to reuse a connection; undefined if it is known to be idle outside any transaction. */
export function reasonToDestroy(client: pg.PoolClient): DestroyReason | undefined {
  if (!isQueryable(client) || !streamOf(client).writable) return 'lost';
  if (!isReadyForQuery(client)) return 'busy';
  return client.getTransactionStatus() === 'I' ? undefined : 'in transaction';
}
