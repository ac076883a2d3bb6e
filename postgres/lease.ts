import type pg from 'pg';
import { Batch } from './batch.ts';
import { requestCancel } from './cancelRequest.ts';
import type { Result, Statement } from './statement.ts';

/** Why a connection was thrown away instead of given to the next request. */
export type DestroyReason = 'cancelled' | 'lost' | 'in transaction' | 'busy' | 'unanswered';

/** How a lease tells the pool what becomes of its connection. */
export interface LeaseOwner {
  /** Whether named statements are prepared. */
  prepares(): boolean;
  /** The pool is closing: nothing is waited for. */
  isClosing(): boolean;
  /** The lease has ended; `reason` says why its connection was destroyed, if it was. */
  ended(lease: Lease, reason: DestroyReason | undefined): void;
  /** The request was given up while a commit was under way, and still there is no answer. */
  unanswered(): void;
}

/** Milliseconds until a commit without an answer is reported, and until its connection is dropped. */
const patience = { report: 1000, drop: 5 * 60_000 };

/**
 * One connection, for one piece of work.
 *
 * - _active_: the work runs. When it settles, the connection returns to the pool, or is destroyed where its state is in
 *   doubt.
 * - _canceled_: the request was given up before anything was sent that can commit. Postgres is asked to cancel the
 *   statement, and the connection is destroyed.
 * - _draining_: the request was given up after that. A cancel request would end a commit's wait for a synchronous standby:
 *   the row would be visible, and lost in a failover. Closing the socket would leave the backend behind. So the connection is
 *   kept until Postgres answers. After five minutes, or when the pool closes, it is dropped without a cancel request.
 */
export class Lease {
  readonly client: pg.PoolClient;
  readonly #owner: LeaseOwner;
  readonly #leave: () => void;
  #mayCommit = false;
  #over = false;
  #timers: NodeJS.Timeout[] = [];

  /** @param leave called once the connection is free, or gone. */
  constructor(client: pg.PoolClient, owner: LeaseOwner, leave: () => void) {
    this.client = client;
    this.#owner = owner;
    this.#leave = leave;
  }

  /**
   * Sends `statements` as one batch.
   *
   * @param mayCommit whether the batch can commit a write: from then on the lease is not canceled any more.
   * @throws pg.DatabaseError, or the error of the connection.
   */
  send(statements: readonly Statement[], mayCommit = false): Promise<Result<unknown>[]> {
    const batch = new Batch(statements, this.#owner.prepares());
    if (mayCommit) this.commits();
    this.client.query(batch as never);
    return batch.done;
  }

  /** From now on the connection may be committing. */
  commits(): void {
    this.#mayCommit = true;
  }

  async run<T>(work: (lease: Lease) => Promise<T>): Promise<T> {
    try {
      return await work(this);
    } finally {
      this.release();
    }
  }

  /** Gives the connection back; one whose state is in doubt is destroyed. */
  release(): void {
    this.#end(doubt(this.client));
  }

  /** Nobody waits for the work any more. */
  giveUp(): void {
    if (this.#over) return;
    if (!this.#mayCommit) {
      requestCancel(this.client);
      this.#end('cancelled');
    } else if (this.#owner.isClosing()) {
      this.drop();
    } else {
      const report = setTimeout(() => this.#owner.unanswered(), patience.report);
      this.#timers = [report.unref(), setTimeout(() => this.drop(), patience.drop).unref()];
    }
  }

  get isDraining(): boolean {
    return this.#timers.length > 0 && !this.#over;
  }

  /** Closes the connection, whatever it does. */
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

/** Why a connection must not be used again; undefined when it is known to be idle, outside any transaction. */
export function doubt(client: pg.PoolClient): DestroyReason | undefined {
  const { _queryable, readyForQuery, connection } = client as unknown as {
    _queryable: boolean;
    readyForQuery: boolean;
    connection: { stream: { writable: boolean } };
  };
  if (!_queryable || !connection.stream.writable) return 'lost';
  if (!readyForQuery) return 'busy';
  return client.getTransactionStatus() === 'I' ? undefined : 'in transaction';
}
