import type { Logger } from 'pino';
import { Cancellation, CancelledError } from '../../postgres/cancellation.ts';
import { coalesce } from '../../postgres/coalesce.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { type Share, shareSizes } from '../../postgres/connectionShares.ts';
import { ExplicitTransaction, type Transaction } from '../../postgres/explicitTransaction.ts';
import { ConnectionPool, type PoolCounts, type PoolOptions } from '../../postgres/pool.ts';
import type { Result, Statement } from '../../postgres/statement.ts';
import { Identity, IdentityRefusedError, refusal } from './identity.ts';
import { type Caller, ImplicitTransactions } from './implicitTransactions.ts';
import { PipeliningBypass } from './pipeliningBypass.ts';
import { Replica, type ReplicaCounts } from './replica.ts';

export { IdentityRefusedError, type Transaction };

interface TransactionOptions {
  /** Runs read-only in one snapshot (repeatable read), on a connection of the `export` share. */
  readonly snapshot?: boolean;
}

/** Runs SQL as one identity, for one request. There is no other way to run SQL on tenant data. */
export interface IdentifiedClient {
  /**
   * Runs one statement in one implicit transaction and one round trip. Statements of the same tick share both.
   *
   * @throws IdentityRefusedError if the identity is no longer valid; pg.DatabaseError of the statement; CancelledError if
   *   the request was canceled; the error of the connection.
   */
  query<Row>(statement: Statement): Promise<Result<Row>>;
  /**
   * Runs `work` in one transaction, which commits when it resolves and rolls back when it rejects. The identity precedes
   * the first statement. If `work` runs no statement, the identity precedes the commit, so that it is checked in any case.
   *
   * @throws as `query`; what `work` throws.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

interface ClientOptions {
  /** Cancels the work of the request; without it, the work cannot be canceled. */
  readonly cancellation?: Cancellation;
  /** Whether all statements only read. A read may run again after its connection was lost. */
  readonly readOnly?: boolean;
  /** Whether a replica may answer. Pass false to read another user's recent write, which a replica may not have. */
  readonly replica?: boolean;
  /** Name of the GraphQL operation of all statements. */
  readonly operation?: string | undefined;
}

/** Transactions since the database was opened, by outcome. */
interface TransactionCounts {
  committed: number;
  failed: number;
  refused: number;
  cancelled: number;
  lost: number;
}

export interface DatabaseOptions extends PoolOptions {
  /** Connection string of a streaming replica for reads. */
  readonly replicaUrl?: string | undefined;
  /** Seconds for which a user bypasses pipelining after a slow transaction; 10 by default. */
  readonly bypassFor?: number;
}

export interface Database {
  /** Returns a client that runs SQL as `identity`. @throws TypeError without an Identity. */
  as(identity: Identity, options?: ClientOptions): IdentifiedClient;
  /** Runs a statement as the authenticator. This role can read catalogs and the tables of readiness, and no tenant's rows. */
  inspect<Row>(statement: Statement, cancellation?: Cancellation): Promise<Result<Row>>;
  /**
   * Returns the current numbers of connections: open, idle, draining (kept for an abandoned commit), and in use by each
   * share. `waiting` is the number of requests that wait for a connection.
   */
  load(): { open: number; idle: number; waiting: number; draining: number; shares: Record<Share, number> };
  /** Maximum of concurrent exports. */
  readonly exports: number;
  /** A snapshot of the events since the database was opened. */
  readonly counts: PoolCounts & {
    /** Transactions that were sent in one write with others. */
    readonly pipelined: number;
    /** Transactions that were too slow for their place, and ran again in the next. */
    readonly bypassed: number;
    readonly transactions: TransactionCounts;
    /** Absent without a replica. */
    readonly replica?: ReplicaCounts;
  };
  close(): Promise<void>;
}

/** The part of a database that the API needs. */
export type SqlRunner = Pick<Database, 'as' | 'inspect'>;

const begin: Statement = { name: 'hedgerow_begin', text: 'begin', discard: true };
const beginSnapshot: Statement = {
  name: 'hedgerow_begin_snapshot',
  text: 'begin isolation level repeatable read, read only',
  discard: true,
};
/** Total milliseconds of a transaction's statements above which its user bypasses pipelining for a while. */
const longTransaction = 250;

const noStatements: readonly Statement[] = [];

/**
 * The connections of the server and the transactions on them. It connects on first use.
 *
 * - Single statements are implicit transactions. `ImplicitTransactions` pipelines them, runs them on an exclusive
 *   connection, or runs them on the replica.
 * - `transaction` runs several statements on an exclusive connection.
 */
export class TenantDatabase implements Database {
  readonly exports: number;
  readonly #pool: ConnectionPool;
  readonly #replica: Replica | undefined;
  readonly #bypass: PipeliningBypass;
  readonly #implicit: ImplicitTransactions;
  readonly #transactions: TransactionCounts = { committed: 0, failed: 0, refused: 0, cancelled: 0, lost: 0 };

  constructor(url: string, options: DatabaseOptions, log: Logger) {
    this.#pool = new ConnectionPool(url, options, log);
    this.#bypass = new PipeliningBypass((options.bypassFor ?? 10) * 1000);
    this.#replica = options.replicaUrl ? new Replica(options.replicaUrl, this.#pool, options, log) : undefined;
    this.#implicit = new ImplicitTransactions(this.#pool, options.size, this.#replica, this.#bypass);
    this.exports = shareSizes(options.size).export.total;
  }

  get counts(): Database['counts'] {
    const { pipelined, bypassed, retries } = this.#implicit;
    const replica = this.#replica && { replica: this.#replica.counts };
    return {
      ...this.#pool.counts,
      pipelined,
      bypassed,
      retries: this.#pool.counts.retries + retries,
      transactions: this.#transactions,
      ...replica,
    };
  }

  as(
    identity: Identity,
    {
      cancellation = new Cancellation(),
      readOnly = false,
      replica: mayUseReplica = true,
      operation,
    }: ClientOptions = {},
  ): IdentifiedClient {
    if (!(identity instanceof Identity)) throw new TypeError('An Identity is required to run SQL');
    const readYourWrites = this.#replica && identity.readYourWrites;
    const note = (!readOnly && readYourWrites?.note) || noStatements;
    const caller: Caller = {
      identity,
      cancellation,
      readOnly,
      readYourWrites: mayUseReplica ? readYourWrites : undefined,
    };
    const named = (statement: Statement) => (operation === undefined ? statement : { ...statement, operation });
    return {
      query: coalesce((statements) =>
        this.#counted(() => this.#implicit.run(caller, statements.map(named), note)),
      ) as IdentifiedClient['query'],
      transaction: (work, { snapshot = false } = {}) =>
        this.#counted(() => {
          const workIn = (transaction: ExplicitTransaction) =>
            work({ query: (statement) => transaction.query<never>(named(statement)).catch(throwRefusal) });
          return this.#runInTransaction(caller, snapshot, workIn, snapshot ? noStatements : note);
        }),
    };
  }

  async inspect<Row>(statement: Statement, cancellation = new Cancellation()): Promise<Result<Row>> {
    const [result] = await this.#pool.use({ cancellation }, (lease) => lease.send([statement]));
    return result as Result<Row>;
  }

  load(): ReturnType<Database['load']> {
    const { open, idle, waiting, draining } = this.#pool.load;
    const inUse = (share: Share) => this.#pool.shares.inUse(share);
    const shares = {
      write: inUse('write'),
      unshared: inUse('unshared'),
      bypass: inUse('bypass'),
      export: inUse('export'),
    };
    return { open, idle, waiting: waiting + this.#implicit.waiting, draining, shares };
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#replica?.close()]);
  }

  /** Commits when `work` resolves, and rolls back when it rejects. @param note statements to run before the commit. */
  #runInTransaction<T>(
    { identity, cancellation }: Caller,
    snapshot: boolean,
    work: (transaction: ExplicitTransaction) => Promise<T>,
    note: readonly Statement[],
  ): Promise<T> {
    const pool = this.#pool;
    const shares = this.#sharesOf(identity, snapshot);
    return pool.use({ cancellation, shares, fairnessKey: identity.fairnessKey }, async (lease) => {
      // A nested query of a mutation holds a connection of the `write` share. So it has the 4 s of a slow read, and not the
      // role's statement_timeout.
      const opening = snapshot
        ? [beginSnapshot, identity.statement]
        : [begin, identity.bypassing ?? identity.statement];
      const transaction = new ExplicitTransaction(lease, cancellation, opening, (error) => pool.isStale(error));
      try {
        const result = await work(transaction);
        await transaction.commit(note);
        return result;
      } catch (error) {
        await transaction.rollback();
        throw error;
      } finally {
        if (!snapshot && identity.pipelined && transaction.busy > longTransaction)
          this.#bypass.demote(identity, 'bypass');
      }
    });
  }

  /** Connection shares of an explicit transaction of `identity`. */
  #sharesOf(identity: Identity, snapshot: boolean): Share[] {
    if (snapshot) return ['export'];
    return identity.pipelined && this.#bypass.placeOf(identity) === 'bypass' ? ['write', 'bypass'] : ['write'];
  }

  /** Counts the outcome of the transaction of `work`. @throws IdentityRefusedError if Postgres rejected the identity. */
  async #counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#transactions.committed++;
      return result;
    } catch (cause) {
      const error = refusal(cause);
      count(error, this.#transactions);
      // Some faults, such as a full disk, appear in a statement and not while connecting.
      if (connectionFault(error) && !this.#pool.neverConnected(error)) this.#pool.faults.report(error);
      throw error;
    }
  }
}

function throwRefusal(error: unknown): never {
  throw refusal(error);
}

function count(error: unknown, counts: TransactionCounts): void {
  if (error instanceof IdentityRefusedError) counts.refused++;
  else if (error instanceof CancelledError) counts.cancelled++;
  else if (connectionFault(error)) counts.lost++;
  else counts.failed++;
}
