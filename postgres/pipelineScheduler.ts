import { Batch } from './batch.ts';
import { Cancellation, CancelledError } from './cancellation.ts';
import type { Lease } from './lease.ts';
import type { ConnectionPool } from './pool.ts';
import { sendPipelined } from './sendPipelined.ts';
import type { Result, Statement } from './statement.ts';

/** Transactions that one write carries at the most: nobody waits for more than three commits of others. */
const maxPipelinedTransactions = 4;

/** A transaction that waits for a connection, or is under way. */
interface Asked {
  readonly batch: Batch;
  /** Milliseconds, of the clock that has no date. */
  readonly since: number;
  /** Nobody waits for it any more. */
  leave(): void;
}

/**
 * Connections that transactions of different requests share. What has come in while all were busy is written at once to
 * the next one that is free: each with its own identity, its own Sync and its own answer. A write and a read of a socket
 * cost a request more time in Node than its own SQL does.
 *
 * Pipelined statements need a short statement timeout, because other requests wait for them. Reads and writes
 * have pipelines of their own, so that no read waits behind a commit. A connection that carries writes is never canceled.
 */
export class PipelineScheduler {
  /** Transactions that were sent in one write with others. */
  pipelined = 0;
  readonly #pool: ConnectionPool;
  readonly #connections: number;
  readonly #writes: boolean;
  #waiting: Asked[] = [];
  /** Connections that were asked for, and those that have come. */
  #wanted = 0;
  #used = 0;
  #due = false;

  /** @param connections how many it may use at a time. @param writes whether its transactions may commit a write. */
  constructor(pool: ConnectionPool, connections: number, writes: boolean) {
    this.#pool = pool;
    this.#connections = connections;
    this.#writes = writes;
  }

  /** Transactions that wait, beyond the connections that were asked for. */
  get waiting(): number {
    return Math.max(0, this.#waiting.length - this.#wanted);
  }

  /** Runs `statements` as one transaction. @throws as `ConnectionPool.use`, and what Postgres says of them. */
  run(cancellation: Cancellation, statements: readonly Statement[]): Promise<Result<unknown>[]> {
    const asked: Asked = {
      batch: new Batch(statements, true),
      since: performance.now(),
      leave: () => {
        this.#waiting = this.#waiting.filter((other) => other !== asked);
      },
    };
    return cancellation.race(
      () => {
        this.#waiting.push(asked);
        this.#callSoon();
        return asked.batch.done;
      },
      () => asked.leave(),
    );
  }

  /** Behind all requests that can be read by now: they may share a write. */
  #callSoon(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      this.#call();
    });
  }

  /** As many connections as there are, and beyond them one for each group: so that it has its place in the pool's queue. */
  #call(): void {
    const waiting = this.#waiting.length;
    while (
      this.#wanted * maxPipelinedTransactions < waiting ||
      (this.#wanted < waiting && this.#wanted + this.#used < this.#connections)
    )
      void this.#serve();
  }

  async #serve(): Promise<void> {
    const before = performance.now();
    const connection = new Cancellation();
    let group: readonly Asked[] | undefined;
    let came = false;
    this.#wanted++;
    try {
      await this.#pool.use({ cancellation: connection, lanes: this.#writes ? ['write'] : [] }, (lease) => {
        came = true;
        this.#wanted--;
        this.#used++;
        if (this.#writes) lease.commits();
        group = this.#take(lease);
        return answered(group, connection);
      });
    } catch (error) {
      // Without a connection it failed those who asked before it was asked for; the others have a try of their own.
      const failed = group ?? this.#waiting.splice(0, this.#waiting.findLastIndex(({ since }) => since <= before) + 1);
      // Nobody waits for those that were given up, and Postgres may still answer them.
      if (!(error instanceof CancelledError)) for (const { batch } of failed) batch.fail(error as Error);
    }
    if (came) this.#used--;
    else this.#wanted--;
    this.#call();
  }

  /** Sends this connection's share of those who wait. */
  #take({ client }: Lease): readonly Asked[] {
    const { prepares } = this.#pool;
    // A pooler that does not keep statements may not expect a transaction behind another one either.
    const share = prepares
      ? Math.min(maxPipelinedTransactions, Math.ceil(this.#waiting.length / (this.#wanted + 1)))
      : 1;
    const batches = this.#waiting.slice(0, share).map(({ batch }) => batch);
    if (!prepares) for (const batch of batches) batch.doNotPrepare();
    const count = sendPipelined(client, batches);
    const group = this.#waiting.splice(0, count);
    if (group.length > 1) this.pipelined += group.length;
    // The pool has counted one who waited.
    for (const { since } of group.slice(1)) this.#pool.countWait(since);
    return group;
  }
}

/** Waits until each has its answer. Where nobody waits for those that are left, the connection is given up. */
async function answered(group: readonly Asked[], connection: Cancellation): Promise<void> {
  const wanted = new Set(group);
  let left = group.length;
  const leave = (asked: Asked) => {
    wanted.delete(asked);
    if (wanted.size === 0 && left > 0) connection.cancel('client gone');
  };
  const answers = group.map((asked) => {
    asked.leave = () => leave(asked);
    const answer = () => {
      left--;
      leave(asked);
    };
    return asked.batch.done.then(answer, answer);
  });
  await Promise.all(answers);
}
