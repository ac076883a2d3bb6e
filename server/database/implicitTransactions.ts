import type pg from 'pg';
import type { Apart } from './apart.ts';
import type { Cancellation } from './cancellation.ts';
import { connectionFault } from './connectionErrors.ts';
import { type Freshness, type Identity, refusal } from './identity.ts';
import { type Lane, sharesOf } from './lanes.ts';
import { Pipelines } from './pipelines.ts';
import type { ConnectionPool } from './pool.ts';
import type { Replica } from './replica.ts';
import type { Result, Statement } from './statement.ts';

/** Statements of a transaction that others may wait behind, at the most: each has its time. */
const maxPipelinedStatements = 5;

/** Milliseconds that a pipelined statement has. */
const short = 50;

/** SQLSTATE of a statement that was stopped, by its timeout for example. */
const queryCanceled = '57014';

/** Whose statements they are, and for which request. */
export interface Caller {
  readonly identity: Identity;
  readonly cancellation: Cancellation;
  /** They only read. */
  readonly readOnly: boolean;
  /** Present where a replica may answer. */
  readonly freshness: Freshness | undefined;
}

/**
 * Runs statements of one identity as one implicit transaction: all of them in one round trip, or none.
 *
 * A tenant's transaction is _pipelined_ first: others may share its connection, and each of its statements has 50 ms. One that
 * needs more is rolled back and _bypasses_ the pipelines, as its user does for a while (`Apart`): on a connection of its own,
 * within the small share that such transactions have. A read has 4 s there, a write the role's statement_timeout.
 */
export class ImplicitTransactions {
  readonly #pool: ConnectionPool;
  readonly #replica: Replica | undefined;
  readonly #apart: Apart;
  readonly #reads: Pipelines;
  readonly #writes: Pipelines;

  constructor(pool: ConnectionPool, size: number, replica: Replica | undefined, apart: Apart) {
    this.#pool = pool;
    this.#replica = replica;
    this.#apart = apart;
    this.#reads = new Pipelines(pool, size, false);
    this.#writes = new Pipelines(pool, Math.min(size, sharesOf(size).write.total), true);
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
      this.#pool.counts.retries++;
      return this.#onPrimary(caller, statements, []);
    }
  }

  async #onReplica(caller: Caller, statements: readonly Statement[]): Promise<Result<unknown>[] | undefined> {
    const { identity, cancellation, freshness } = caller;
    if (!freshness || !this.#replica) return undefined;
    const bypasses = this.#apart.has(identity);
    try {
      return await this.#replica.read(freshness, cancellation, statements, bypasses ? identity.user : undefined);
    } catch (error) {
      if ((error as pg.DatabaseError).code !== queryCanceled || bypasses) throw error;
      this.#bypass(identity);
      return this.#replica.read(freshness, cancellation, statements, identity.user);
    }
  }

  async #onPrimary(
    caller: Caller,
    statements: readonly Statement[],
    note: readonly Statement[],
  ): Promise<Result<unknown>[]> {
    const all = [...statements, ...note];
    for (let retries = 0; ; retries++) {
      try {
        const results = (await this.#pipelined(caller, all)) ?? (await this.#alone(caller, all));
        return results.slice(1, 1 + statements.length);
      } catch (error) {
        // Nothing has happened, and the connection prepares it again.
        if (!this.#pool.isStale(error) || retries === 3) throw error;
        this.#pool.counts.retries++;
      }
    }
  }

  /** Beside other requests' transactions; undefined where they would wait for it too long. Then nothing has happened. */
  async #pipelined(caller: Caller, statements: readonly Statement[]): Promise<Result<unknown>[] | undefined> {
    const { identity, cancellation, readOnly } = caller;
    if (!identity.inCompany || this.#apart.has(identity)) return undefined;
    const all = [identity.inCompany, ...statements];
    try {
      if (statements.length <= maxPipelinedStatements && this.#pool.prepares)
        return await (readOnly ? this.#reads : this.#writes).run(cancellation, all);
      return await this.#send(caller, readOnly ? [] : ['write'], all);
    } catch (error) {
      if ((error as pg.DatabaseError).code !== queryCanceled) throw refusal(error);
      this.#bypass(identity);
      return undefined;
    }
  }

  /** On a connection of its own: what bypasses the pipelines, and what is no tenant's. */
  #alone(caller: Caller, statements: readonly Statement[]): Promise<Result<unknown>[]> {
    const { identity, readOnly } = caller;
    const lanes: Lane[] = readOnly ? [] : ['write'];
    if (!identity.inCompany) return this.#send(caller, lanes, [identity.statement, ...statements]);
    const first = (readOnly && identity.bypassing) || identity.statement;
    return this.#send(caller, [...lanes, 'bypass'], [first, ...statements], (milliseconds) => {
      // It was slow because of others: its user does not have to share the connections of slow statements.
      if (milliseconds < short) this.#apart.remove(identity);
    });
  }

  /** @param took is told how long Postgres took, in milliseconds. */
  #send(
    { identity, cancellation, readOnly }: Caller,
    lanes: readonly Lane[],
    statements: readonly Statement[],
    took: (milliseconds: number) => void = () => {},
  ): Promise<Result<unknown>[]> {
    return this.#pool.use({ cancellation, lanes, tenant: identity.user }, async (lease) => {
      const start = performance.now();
      const results = await lease.send(statements, !readOnly);
      took(performance.now() - start);
      return results;
    });
  }

  #bypass(identity: Identity): void {
    this.#pool.counts.apart++;
    this.#apart.add(identity);
  }
}
