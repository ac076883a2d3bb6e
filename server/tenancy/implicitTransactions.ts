import type pg from 'pg';
import type { Cancellation } from '../../postgres/cancellation.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { type Share, shareSizes } from '../../postgres/connectionShares.ts';
import { PipelineScheduler } from '../../postgres/pipelineScheduler.ts';
import type { ConnectionPool } from '../../postgres/pool.ts';
import type { Result, Statement } from '../../postgres/statement.ts';
import { withBudget, withoutBudget } from '../../postgres/timeBudget.ts';
import { type Identity, type ReadYourWrites, refusal } from './identity.ts';
import type { PipeliningBypass, Place } from './pipeliningBypass.ts';
import type { Replica } from './replica.ts';

/** Maximum of statements in a pipelined transaction. Each of them has 50 ms while other transactions wait. */
const maxPipelinedStatements = 5;

/** Statement timeout of a pipelined statement, in milliseconds. */
const pipelinedTimeout = 50;

/** SQLSTATE of a canceled statement, for example one that exceeded its timeout. */
const queryCanceled = '57014';

/** The identity and the request that statements run for. */
export interface Caller {
  readonly identity: Identity;
  readonly cancellation: Cancellation;
  /** Whether the statements only read. */
  readonly readOnly: boolean;
  /** Present if a replica may answer. */
  readonly readYourWrites: ReadYourWrites | undefined;
}

/**
 * Runs statements of one identity as one implicit transaction, in one round trip.
 *
 * A tenant's transaction runs in one of three places. If it is too slow, it rolls back and runs again in the next place:
 *
 * - _pipelined_: other transactions may share its connection. Each statement has 50 ms. This place is for transactions of a
 *   few statements, on servers that keep prepared statements.
 * - _unshared_: an exclusive connection, from a share with a limit for each tenant. All statements together have 500 ms.
 * - _bypass_: an exclusive connection, from a small share. Each statement has 4 s.
 *
 * `PipeliningBypass` has the user's next transactions start in that place too, for a while or until one takes less than
 * 50 ms. Under load, short statements may also exceed 50 ms. The place in the middle keeps their users out of the share for
 * slow statements.
 */
export class ImplicitTransactions {
  /** Transactions that were too slow for their place, and ran again in the next. */
  bypassed = 0;
  /** Transactions that ran again: reads whose connection was lost, and transactions with a stale statement. */
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
    this.#writes = new PipelineScheduler(pool, Math.min(size, shareSizes(size).write.total), true);
  }

  /** Transactions that were sent in one write with others. */
  get pipelined(): number {
    return this.#reads.pipelined + this.#writes.pipelined;
  }

  /** Transactions that wait, without those that wait in the pool. */
  get waiting(): number {
    return this.#reads.waiting + this.#writes.waiting;
  }

  /**
   * Runs `statements`. For a write, the statements of `note` follow them.
   *
   * @returns the results of `statements`.
   * @throws IdentityRefusedError; CancelledError; pg.DatabaseError; the error of the last attempt to connect.
   */
  async run(caller: Caller, statements: readonly Statement[], note: readonly Statement[]): Promise<Result<unknown>[]> {
    if (!caller.readOnly) return this.#onPrimary(caller, statements, note);
    const results = await this.#onReplica(caller, statements);
    if (results) return results;
    try {
      return await this.#onPrimary(caller, statements, []);
    } catch (error) {
      // A read may run twice. A write may not, because the connection can be lost after the commit.
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
        // The statement had no effect, and the connection prepares it again.
        if (!this.#pool.isStale(error) || retries === 3) throw error;
        this.retries++;
      }
    }
  }

  /** Runs `statements` in the first place that gives them enough time. @returns the results without the identity's. */
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

  /** Runs `statements` on an exclusive connection. @returns the results without the first one, which is the identity's. */
  #send(caller: Caller, place: 'unshared' | 'bypass' | undefined, statements: readonly Statement[]) {
    const { identity, cancellation, readOnly } = caller;
    const shares: Share[] = readOnly ? [] : ['write'];
    if (place) shares.push(place);
    return this.#pool.use({ cancellation, shares, fairnessKey: identity.fairnessKey }, async (lease) => {
      const start = performance.now();
      const results = await lease.send(statements, !readOnly);
      // The transaction was slow only because of others, so its user returns to pipelining at once.
      if (place && performance.now() - start < pipelinedTimeout) this.#bypass.restore(identity);
      return results.slice(1);
    });
  }

  /** Moves the user to `place` if the statement exceeded its timeout. @throws any other error, for the caller. */
  #demote(error: unknown, identity: Identity, place: Place): void {
    if ((error as pg.DatabaseError).code !== queryCanceled) throw refusal(error);
    this.bypassed++;
    this.#bypass.demote(identity, place);
  }
}
