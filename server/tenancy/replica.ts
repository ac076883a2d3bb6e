import type { Logger } from 'pino';
import { Cancellation, CancelledError } from '../../postgres/cancellation.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { type Checkout, ConnectionPool, type PoolOptions } from '../../postgres/pool.ts';
import type { Result, Statement } from '../../postgres/statement.ts';
import { withBudget, withoutBudget } from '../../postgres/timeBudget.ts';
import type { ReadYourWrites } from './identity.ts';
import { Rest } from './replicaRest.ts';

/** Seconds: an answer that takes longer has the replica probed, and the probe may take this long. */
const limits = { answer: 0.5, probe: 0.75 };

/** SQLSTATE of a statement that was stopped by its timeout. */
const queryCanceled = '57014';

export interface ReplicaCounts {
  /** Reads that the replica answered. */
  answered: number;
  /** Reads that went to the primary because the replica had not replayed the user's last write. */
  behind: number;
  /** Reads that went to the primary because the replica was away, or failed. */
  failed: number;
}

/**
 * Reads on a streaming replica that are never older than what the user has written, and never made for a session that
 * has ended. The replica answers while the primary is asked, at the same time, whether the session lives and what the
 * user wrote last; the answer counts only if the replica, in the same transaction, had that write already.
 *
 * A replica that does not answer is not waited for: after half a second a probe tells a frozen replica from a slow statement.
 * If the probe is not answered either, the primary gives the answer, within the same request, and the replica rests.
 */
export class Replica {
  readonly counts: ReplicaCounts = { answered: 0, behind: 0, failed: 0 };
  readonly #pool: ConnectionPool;
  readonly #primary: ConnectionPool;
  readonly #rest = new Rest();
  readonly #log: Logger;
  #probe: Promise<boolean> | undefined;

  constructor(url: string, primary: ConnectionPool, options: PoolOptions, log: Logger) {
    this.#log = log.child({ database: 'replica' });
    this.#pool = new ConnectionPool(url, { ...options, patience: 0 }, this.#log);
    this.#primary = primary;
  }

  /**
   * The results of `statements`, or undefined where the primary has to give them.
   *
   * @param place `unshared`: all statements have 500 ms together. `bypass`: each has 4 s.
   * @throws what the primary says of the session, or that it is away: then nobody can tell whether the session lives;
   *   pg.DatabaseError 57014 for a statement that needs more time than it has.
   */
  async read(
    { check, bypassing }: ReadYourWrites,
    cancellation: Cancellation,
    statements: readonly Statement[],
    user: string,
    place: 'unshared' | 'bypass',
  ): Promise<Result<unknown>[] | undefined> {
    if (!this.#rest.inUse) {
      this.counts.failed++;
      this.#rest.probe(() => this.#answers());
      return undefined;
    }
    const all = place === 'bypass' ? [bypassing, ...statements] : [check, ...withBudget(statements)];
    const [asked, answered] = await Promise.allSettled([
      this.#primary.use({ cancellation }, (lease) => lease.send([check])),
      this.#ask(cancellation, all, { lanes: [place], tenant: user }),
    ]);
    if (asked.status === 'rejected') throw asked.reason;
    if (answered.status === 'rejected') return this.#failed(answered.reason);
    const [shown, ...rest] = answered.value;
    if (written(shown) !== written(asked.value[0])) {
      this.counts.behind++;
      return undefined;
    }
    this.counts.answered++;
    return place === 'bypass' ? rest : withoutBudget(rest);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** @throws CancelledError `no answer` where the replica seems to be frozen. */
  async #ask(
    cancellation: Cancellation,
    statements: readonly Statement[],
    share: Pick<Checkout, 'lanes' | 'tenant'>,
  ): Promise<Result<unknown>[]> {
    const attempt = new Cancellation();
    const timer = setTimeout(async () => {
      if (!(await this.#answers())) attempt.cancel('no answer');
    }, limits.answer * 1000);
    try {
      const work = () => this.#pool.use({ cancellation: attempt, ...share }, (lease) => lease.send(statements));
      return await cancellation.race(work, ({ reason }) => attempt.cancel(reason));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether the replica answers a probe; reads that ask at the same time share one. */
  #answers(): Promise<boolean> {
    this.#probe ??= this.#ping().finally(() => {
      this.#probe = undefined;
    });
    return this.#probe;
  }

  async #ping(): Promise<boolean> {
    const cancellation = new Cancellation();
    cancellation.expireIn(limits.probe);
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
    // A statement that failed, or too many reads at once, are no fault of the replica.
    const isAway = fault && !['pool exhausted', 'slow statements', 'schema changed'].includes(fault.cause);
    if ((frozen || isAway) && this.#rest.inUse) {
      this.#rest.failed();
      const advice = 'The primary answers its reads. The replica is probed, and used again once it answers.';
      this.#log.warn({ cause: frozen ? 'no answer' : fault?.cause, advice }, 'the replica is left out');
    }
    return undefined;
  }
}

function written(result: Result<unknown> | undefined): string | null | undefined {
  return (result as Result<{ written: string | null }> | undefined)?.rows[0]?.written;
}
