import type { Logger } from 'pino';
import { Cancellation, CancelledError } from '../../postgres/cancellation.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { type Checkout, ConnectionPool, type PoolOptions } from '../../postgres/pool.ts';
import type { Result, Statement } from '../../postgres/statement.ts';
import { withBudget, withoutBudget } from '../../postgres/timeBudget.ts';
import type { ReadYourWrites } from './identity.ts';
import { ReplicaCooldown } from './replicaCooldown.ts';

/** Seconds until an unanswered read starts a probe, and until the probe fails. */
const timeouts = { answer: 0.5, probe: 0.75 };

/** SQLSTATE of a statement that exceeded its timeout. */
const queryCanceled = '57014';

export interface ReplicaCounts {
  /** Reads that the replica answered. */
  answered: number;
  /** Reads that went to the primary because the replica had not replayed the user's last write. */
  behind: number;
  /** Reads that went to the primary because the replica was unavailable or failed. */
  failed: number;
}

/**
 * Reads from a streaming replica, with read-your-writes and without serving revoked sessions. While the replica runs the
 * read, the primary checks the session and reports the user's last write. The replica's answer counts only if the replica
 * had replayed that write in the same transaction.
 *
 * After half a second without an answer, a probe distinguishes a frozen replica from a slow statement. If the probe fails
 * too, the primary answers within the same request, and a cooldown of the replica begins (`ReplicaCooldown`).
 */
export class Replica {
  readonly counts: ReplicaCounts = { answered: 0, behind: 0, failed: 0 };
  readonly #pool: ConnectionPool;
  readonly #primary: ConnectionPool;
  readonly #cooldown = new ReplicaCooldown();
  readonly #log: Logger;
  #probe: Promise<boolean> | undefined;

  constructor(url: string, primary: ConnectionPool, options: PoolOptions, log: Logger) {
    this.#log = log.child({ database: 'replica' });
    this.#pool = new ConnectionPool(url, { ...options, retryTime: 0 }, this.#log);
    this.#primary = primary;
  }

  /**
   * Runs `statements` on the replica.
   *
   * @param place `unshared`: all statements have 500 ms together. `bypass`: each has 4 s.
   * @returns the results, or undefined if the primary has to answer.
   * @throws the primary's error for the session, or the fault that keeps the primary from checking it; pg.DatabaseError
   *   57014 for a statement that exceeds its time.
   */
  async read(
    { check, bypassing }: ReadYourWrites,
    cancellation: Cancellation,
    statements: readonly Statement[],
    user: string,
    place: 'unshared' | 'bypass',
  ): Promise<Result<unknown>[] | undefined> {
    if (!this.#cooldown.inUse) {
      this.counts.failed++;
      this.#cooldown.probe(() => this.#answers());
      return undefined;
    }
    const all = place === 'bypass' ? [bypassing, ...statements] : [check, ...withBudget(statements)];
    const [onPrimary, onReplica] = await Promise.allSettled([
      this.#primary.use({ cancellation }, (lease) => lease.send([check])),
      this.#send(cancellation, all, { shares: [place], fairnessKey: user }),
    ]);
    if (onPrimary.status === 'rejected') throw onPrimary.reason;
    if (onReplica.status === 'rejected') return this.#failed(onReplica.reason);
    const [replayed, ...results] = onReplica.value;
    if (lastWriteOf(replayed) !== lastWriteOf(onPrimary.value[0])) {
      this.counts.behind++;
      return undefined;
    }
    this.counts.answered++;
    return place === 'bypass' ? results : withoutBudget(results);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** @throws CancelledError `no answer` if the replica seems to be frozen. */
  async #send(
    cancellation: Cancellation,
    statements: readonly Statement[],
    claim: Pick<Checkout, 'shares' | 'fairnessKey'>,
  ): Promise<Result<unknown>[]> {
    const attempt = new Cancellation();
    const timer = setTimeout(async () => {
      if (!(await this.#answers())) attempt.cancel('no answer');
    }, timeouts.answer * 1000);
    try {
      const work = () => this.#pool.use({ cancellation: attempt, ...claim }, (lease) => lease.send(statements));
      return await cancellation.race(work, ({ reason }) => attempt.cancel(reason));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether the replica answers a probe. Concurrent reads share one probe. */
  #answers(): Promise<boolean> {
    this.#probe ??= this.#ping().finally(() => {
      this.#probe = undefined;
    });
    return this.#probe;
  }

  async #ping(): Promise<boolean> {
    const cancellation = new Cancellation();
    cancellation.expireIn(timeouts.probe);
    try {
      await this.#pool.use({ cancellation }, (lease) => lease.send([{ text: 'select 1', discard: true }]));
      return true;
    } catch {
      return false;
    } finally {
      cancellation.end();
    }
  }

  #failed(error: unknown): undefined {
    const frozen = error instanceof CancelledError && error.reason === 'no answer';
    if (error instanceof CancelledError && !frozen) throw error;
    if ((error as { code?: string }).code === queryCanceled) throw error;
    this.counts.failed++;
    const fault = connectionFault(error);
    // The replica is not at fault for a statement that failed, or for too many concurrent reads.
    const isUnavailable = fault && !['pool exhausted', 'slow statements', 'schema changed'].includes(fault.cause);
    if ((frozen || isUnavailable) && this.#cooldown.inUse) {
      this.#cooldown.failed();
      const advice =
        'The primary answers all reads. The server probes the replica, and uses it again once it answers. Check the replica.';
      this.#log.warn({ cause: frozen ? 'no answer' : fault?.cause, advice }, 'the replica is not used for now');
    }
    return undefined;
  }
}

function lastWriteOf(result: Result<unknown> | undefined): string | null | undefined {
  return (result as Result<{ written: string | null }> | undefined)?.rows[0]?.written;
}
