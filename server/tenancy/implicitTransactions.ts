import type pg from 'pg';
import type { Cancellation } from '../../postgres/cancellation.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { type Lane, sharesOf, unnamed } from '../../postgres/lanes.ts';
import { PipelineScheduler } from '../../postgres/pipelineScheduler.ts';
import type { ConnectionPool } from '../../postgres/pool.ts';
import type { Result, Statement } from '../../postgres/statement.ts';
import { withBudget, withoutBudget } from '../../postgres/timeBudget.ts';
import { type Identity, type ReadYourWrites, refusal } from './identity.ts';
import type { PipeliningBypass, Place } from './pipeliningBypass.ts';
import type { Replica } from './replica.ts';

/** Statements of a transaction that others may wait behind, at the most: each has its time. */
const maxPipelinedStatements = 5;

/** Milliseconds that a pipelined statement has. */
const short = 50;

/** SQLSTATE of a statement that was stopped, by its timeout for example. */
const queryCanceled = '57014';

/** The identity and the request that statements run for. */
export interface Caller {
  readonly identity: Identity;
  readonly cancellation: Cancellation;
  /** They only read. */
  readonly readOnly: boolean;
  /** Present where a replica may answer. */
  readonly readYourWrites: ReadYourWrites | undefined;
}

/**
 * Runs statements of one identity as one implicit transaction: all of them in one round trip, or none.
 *
 * A tenant's transaction runs in one of three places. One that is too slow is rolled back, and begins again in the next:
 *
 * - _pipelined_: others may share its connection, and each of its statements has 50 ms. Only for a few statements, and where
 *   statements are prepared.
 * - _unshared_: a connection of its own, in a lane with a share for each tenant. All of its statements have 500 ms together.
 * - _bypass_: a connection of its own, in a small lane. Each statement has 4 s.
 *
 * Its user's next transactions begin there too, for a while or until one takes less than 50 ms (`PipeliningBypass`). Under load 50 ms pass
 * for short statements as well: the place in between keeps users of those out of the lane of users whose statements are slow.
 */
export class ImplicitTransactions {
  /** Transactions that were too slow for their place, and were run again in the next. */
  bypassed = 0;
  /** Reads whose connection was lost, and transactions with a stale statement, which were run again. */
  retries = 0;
  readonly #pool: ConnectionPool;
  readonly #replica: Replica | undefined;
  readonly #bypass: PipeliningBypass;
  readonly #reads: PipelineScheduler;
  readonly #writes: PipelineScheduler;

  constructor(pool: ConnectionPool, size: number, replica: Replica | undefined, bypass: PipeliningBypass) {
    this.#pool = pool;
    this.#replica = replica;
    this.#bypass = bypass;
    this.#reads = new PipelineScheduler(pool, size, false);
    this.#writes = new PipelineScheduler(pool, Math.min(size, sharesOf(size).write.total), true);
  }

  /** Transactions that were sent in one write with others. */
  get pipelined(): number {
    return this.#reads.pipelined + this.#writes.pipelined;
  }

  /** Transactions that wait for a connection, beyond those that have asked the pool for one. */
  get waiting(): number {
    return this.#reads.waiting + this.#writes.waiting;
  }

  /**
   * Runs `statements`, and for a write `note` behind them.
   *
   * @returns the results of `statements`.
   * @throws IdentityRefusedError; CancelledError; pg.DatabaseError; what keeps a connection from coming about.
   */
  async run(caller: Caller, statements: readonly Statement[], note: readonly Statement[]): Promise<Result<unknown>[]> {
    if (!caller.readOnly) return this.#onPrimary(caller, statements, note);
    const results = await this.#onReplica(caller, statements);
    if (results) return results;
    try {
      return await this.#onPrimary(caller, statements, []);
    } catch (error) {
      // A read may be sent twice. A write may not: the connection can be lost after the commit.
      if (connectionFault(error)?.cause !== 'connection lost' || this.#pool.neverConnected(error)) throw error;
      this.retries++;
      return this.#onPrimary(caller, statements, []);
    }
  }

  async #onReplica(caller: Caller, statements: readonly Statement[]): Promise<Result<unknown>[] | undefined> {
    const { identity, cancellation, readYourWrites } = caller;
    const { user } = identity;
    if (!readYourWrites || !user || !this.#replica) return undefined;
    if (this.#bypass.placeOf(identity) !== 'bypass') {
      try {
        return await this.#replica.read(readYourWrites, cancellation, statements, user, 'unshared');
      } catch (error) {
        this.#demote(error, identity, 'bypass');
      }
    }
    return this.#replica.read(readYourWrites, cancellation, statements, user, 'bypass');
  }

  async #onPrimary(
    caller: Caller,
    statements: readonly Statement[],
    note: readonly Statement[],
  ): Promise<Result<unknown>[]> {
    const all = [...statements, ...note];
    for (let retries = 0; ; retries++) {
      try {
        const results = await this.#inPlace(caller, all);
        return results.slice(0, statements.length);
      } catch (error) {
        // Nothing has happened, and the connection prepares it again.
        if (!this.#pool.isStale(error) || retries === 3) throw error;
        this.retries++;
      }
    }
  }

  /** Runs `statements` in the first place where they have enough time. Returns their results, without the identity's. */
  async #inPlace(caller: Caller, statements: readonly Statement[]): Promise<Result<unknown>[]> {
    const { identity, cancellation, readOnly } = caller;
    if (!identity.pipelined) return this.#send(caller, undefined, [identity.statement, ...statements]);
    const place = this.#bypass.placeOf(identity);
    if (place === 'pipelined' && statements.length <= maxPipelinedStatements && this.#pool.prepares) {
      try {
        const pipelines = readOnly ? this.#reads : this.#writes;
        return (await pipelines.run(cancellation, [identity.pipelined, ...statements])).slice(1);
      } catch (error) {
        this.#demote(error, identity, 'unshared');
      }
    }
    if (place !== 'bypass') {
      try {
        const all = [identity.statement, ...withBudget(statements)];
        return withoutBudget(await this.#send(caller, 'unshared', all));
      } catch (error) {
        this.#demote(error, identity, 'bypass');
      }
    }
    return this.#send(caller, 'bypass', [identity.bypassing ?? identity.statement, ...statements]);
  }

  /** On a connection of its own. Returns the results without the first one, which is the identity's. */
  #send(caller: Caller, place: 'unshared' | 'bypass' | undefined, statements: readonly Statement[]) {
    const { identity, cancellation, readOnly } = caller;
    const lanes: Lane[] = readOnly ? [] : ['write'];
    if (place) lanes.push(place);
    return this.#pool.use({ cancellation, lanes, tenant: identity.user ?? unnamed }, async (lease) => {
      const start = performance.now();
      const results = await lease.send(statements, !readOnly);
      // Where it was slow because of others, its user goes back to the pipelines at once.
      if (place && performance.now() - start < short) this.#bypass.restore(identity);
      return results.slice(1);
    });
  }

  /** Notes that `identity` needs `place`. @throws `error`, as the caller is told it, unless the time was too short. */
  #demote(error: unknown, identity: Identity, place: Place): void {
    if ((error as pg.DatabaseError).code !== queryCanceled) throw refusal(error);
    this.bypassed++;
    this.#bypass.demote(identity, place);
  }
}
