import { Batch } from './batch.ts';
import { Cancellation, CancelledError } from './cancellation.ts';
import type { Lease } from './lease.ts';
import type { ConnectionPool } from './pool.ts';
import { sendPipelined } from './sendPipelined.ts';
import type { Result, Statement } from './statement.ts';

/** Maximum of transactions per write, so that no request waits for more than three commits of others. */
const maxPipelinedTransactions = 4;

/** A transaction that waits for a connection, or runs. */
interface ScheduledTransaction {
  readonly batch: Batch;
  /** Time of its arrival, in milliseconds of `performance.now()`. */
  readonly since: number;
  /** Called when the request is canceled. */
  leave(): void;
}

/**
 * Runs transactions of different requests on shared connections. Transactions that arrive while all connections are busy go
 * to the next free one in a single write. Each keeps its own identity, its own Sync and its own answer. A write and a read
 * of a socket cost a request more time in Node than its SQL does.
 *
 * A transaction is
 *
 * - _waiting_ until a connection is free, or until the checkout that would serve it fails;
 * - _running_: it was sent, alone or in one write with up to three others;
 * - _answered_. If no request waits for the remaining transactions of the write, the scheduler cancels their connection.
 *
 * Pipelined statements need a short statement timeout, because other requests wait for them. Reads and writes use separate
 * schedulers, so that no read waits behind a commit. Connections with writes are never canceled.
 */
export class PipelineScheduler {
  /** Transactions that were sent in one write with others. */
  pipelined = 0;
  readonly #pool: ConnectionPool;
  readonly #connections: number;
  readonly #writes: boolean;
  #waiting: ScheduledTransaction[] = [];
  /** Checkouts that wait for a connection. */
  #requested = 0;
  /** Connections that run transactions. */
  #used = 0;
  /** Whether `#checkOut` is scheduled. */
  #scheduled = false;

  /** @param connections maximum of connections in use. @param writes whether its transactions may commit a write. */
  constructor(pool: ConnectionPool, connections: number, writes: boolean) {
    this.#pool = pool;
    this.#connections = connections;
    this.#writes = writes;
  }

  /** Transactions that wait, without those that the requested connections will serve. */
  get waiting(): number {
    return Math.max(0, this.#waiting.length - this.#requested);
  }

  /** Runs `statements` as one transaction. @throws as `ConnectionPool.use`; the error of Postgres. */
  run(cancellation: Cancellation, statements: readonly Statement[]): Promise<Result<unknown>[]> {
    const transaction: ScheduledTransaction = {
      batch: new Batch(statements, true),
      since: performance.now(),
      leave: () => {
        this.#waiting = this.#waiting.filter((other) => other !== transaction);
      },
    };
    return cancellation.race(
      () => {
        this.#waiting.push(transaction);
        this.#schedule();
        return transaction.batch.done;
      },
      () => transaction.leave(),
    );
  }

  /** Checks connections out after all requests that can be read by now, so that these can share a write. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#checkOut();
    });
  }

  /**
   * Requests connections up to the maximum. Beyond it, requests one for each group of waiting transactions, so that the
   * group has its place in the queue of the pool.
   */
  #checkOut(): void {
    const waiting = this.#waiting.length;
    while (
      this.#requested * maxPipelinedTransactions < waiting ||
      (this.#requested < waiting && this.#requested + this.#used < this.#connections)
    )
      void this.#serve();
  }

  async #serve(): Promise<void> {
    const requestedAt = performance.now();
    const connection = new Cancellation();
    let group: readonly ScheduledTransaction[] | undefined;
    let connected = false;
    this.#requested++;
    try {
      await this.#pool.use({ cancellation: connection, shares: this.#writes ? ['write'] : [] }, (lease) => {
        connected = true;
        this.#requested--;
        this.#used++;
        if (this.#writes) lease.markCommitting();
        group = this.#send(lease);
        return answered(group, connection);
      });
    } catch (error) {
      // If checkout fails, reject the transactions queued before it; later ones retry.
      const failed =
        group ?? this.#waiting.splice(0, this.#waiting.findLastIndex(({ since }) => since <= requestedAt) + 1);
      // No request waits for canceled transactions, and Postgres may still answer them.
      if (!(error instanceof CancelledError)) for (const { batch } of failed) batch.fail(error as Error);
    }
    if (connected) this.#used--;
    else this.#requested--;
    this.#checkOut();
  }

  /** Sends this connection's part of the waiting transactions. */
  #send({ client }: Lease): readonly ScheduledTransaction[] {
    const { prepares } = this.#pool;
    // A pooler that does not keep prepared statements may not support pipelined transactions either.
    const most = prepares
      ? Math.min(maxPipelinedTransactions, Math.ceil(this.#waiting.length / (this.#requested + 1)))
      : 1;
    const batches = this.#waiting.slice(0, most).map(({ batch }) => batch);
    if (!prepares) for (const batch of batches) batch.doNotPrepare();
    const count = sendPipelined(client, batches);
    const group = this.#waiting.splice(0, count);
    if (group.length > 1) this.pipelined += group.length;
    // The pool has counted the wait of the first transaction.
    for (const { since } of group.slice(1)) this.#pool.countWait(since);
    return group;
  }
}

/** Waits until all transactions are answered. Cancels the connection when no request waits for the remaining ones. */
async function answered(group: readonly ScheduledTransaction[], connection: Cancellation): Promise<void> {
  const wanted = new Set(group);
  let unanswered = group.length;
  const leave = (transaction: ScheduledTransaction) => {
    wanted.delete(transaction);
    if (wanted.size === 0 && unanswered > 0) connection.cancel('client gone');
  };
  const answers = group.map((transaction) => {
    transaction.leave = () => leave(transaction);
    const answer = () => {
      unanswered--;
      leave(transaction);
    };
    return transaction.batch.done.then(answer, answer);
  });
  await Promise.all(answers);
}
