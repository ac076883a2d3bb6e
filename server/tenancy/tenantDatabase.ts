import type { Logger } from 'pino';
import { Cancellation, CancelledError } from '../../postgres/cancellation.ts';
import { coalesce } from '../../postgres/coalesce.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { ExplicitTransaction, type Transaction } from '../../postgres/explicitTransaction.ts';
import { type Lane, sharesOf, unnamed } from '../../postgres/lanes.ts';
import { ConnectionPool, type PoolCounts, type PoolOptions } from '../../postgres/pool.ts';
import type { Result, Statement } from '../../postgres/statement.ts';
import { Identity, IdentityRefusedError, refusal } from './identity.ts';
import { type Caller, ImplicitTransactions } from './implicitTransactions.ts';
import { PipeliningBypass } from './pipeliningBypass.ts';
import { Replica, type ReplicaCounts } from './replica.ts';

export { IdentityRefusedError, type Transaction };

interface TransactionOptions {
  /** It only reads, and all of it sees what was there at its first statement. It takes a connection for exports. */
  readonly snapshot?: boolean;
}

/** SQL on behalf of one identity, for one request. There is no other way to run any. */
export interface IdentifiedClient {
  /**
   * Runs one statement: one implicit transaction, one round trip. Statements asked for in the same tick share both.
   *
   * @throws IdentityRefusedError when the identity does not hold; pg.DatabaseError from the statement; CancelledError
   *   when the request was given up; whatever the connection reports when there is none.
   */
  query<Row>(statement: Statement): Promise<Result<Row>>;
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. The identity is established
   * ahead of its first statement, or at the end where it has none: without it nothing is run, and nothing answered.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

interface ClientOptions {
  /** Gives up what runs for the request; by default nothing does. */
  readonly cancellation?: Cancellation;
  /** It only reads, so that a statement whose connection was lost may be sent again. */
  readonly readOnly?: boolean;
  /** False: it reads what somebody else has just written, which a replica may not have. */
  readonly replica?: boolean;
  /** The GraphQL operation that all of its statements are for. */
  readonly operation?: string | undefined;
}

/** How transactions ended since the database was opened. */
interface TransactionCounts {
  committed: number;
  failed: number;
  refused: number;
  cancelled: number;
  lost: number;
}

export interface DatabaseOptions extends PoolOptions {
  /** Connection string of a streaming replica that reads may go to. */
  readonly replicaUrl?: string | undefined;
  /** Seconds for which a user bypasses pipelining after a slow transaction; 10 by default. */
  readonly bypassFor?: number;
}

export interface Database {
  /** A client that runs SQL as `identity`. @throws TypeError without an Identity. */
  as(identity: Identity, options?: ClientOptions): IdentifiedClient;
  /** Runs a statement as the bare authenticator, which may read catalogs and what readiness needs, and no rows. */
  inspect<Row>(statement: Statement, cancellation?: Cancellation): Promise<Result<Row>>;
  /**
   * Connections: open, idle, kept for a commit whose request was given up, and those that each lane has in use; and requests
   * that wait for one.
   */
  load(): { open: number; idle: number; waiting: number; draining: number; lanes: Record<Lane, number> };
  /** Exports that can run at once. */
  readonly exports: number;
  /** What happened since the database was opened: a snapshot. */
  readonly counts: PoolCounts & {
    /** Transactions that were sent in one write with others. */
    readonly pipelined: number;
    /** Transactions that were too slow for their place, and were run again in the next. */
    readonly bypassed: number;
    readonly transactions: TransactionCounts;
    /** Absent where there is no replica. */
    readonly replica?: ReplicaCounts;
  };
  close(): Promise<void>;
}

/** The part of a database that runs SQL: all that the API needs. */
export type SqlRunner = Pick<Database, 'as' | 'inspect'>;

const begin: Statement = { name: 'hedgerow_begin', text: 'begin', discard: true };
const beginSnapshot: Statement = {
  name: 'hedgerow_begin_snapshot',
  text: 'begin isolation level repeatable read, read only',
  discard: true,
};
/** Milliseconds of statements in one transaction after which its user bypasses pipelining for a while. */
const longTransaction = 250;

/** No statements ahead of the commit. */
const nothing: readonly Statement[] = [];

/**
 * The server's connections, and the transactions on them. Connects on first use.
 *
 * - Single statements are implicit transactions, which `ImplicitTransactions` pipelines, runs alone or runs on the replica.
 * - `transaction` runs several statements on a connection of its own.
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
    this.exports = sharesOf(options.size).export.total;
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
    { cancellation = new Cancellation(), readOnly = false, replica: mayReplica = true, operation }: ClientOptions = {},
  ): IdentifiedClient {
    if (!(identity instanceof Identity)) throw new TypeError('An Identity is required to run SQL');
    const readYourWrites = this.#replica && identity.readYourWrites;
    const note = (!readOnly && readYourWrites?.note) || nothing;
    const caller: Caller = {
      identity,
      cancellation,
      readOnly,
      readYourWrites: mayReplica ? readYourWrites : undefined,
    };
    const named = (statement: Statement) => (operation === undefined ? statement : { ...statement, operation });
    return {
      query: coalesce((statements) =>
        this.#counted(() => this.#implicit.run(caller, statements.map(named), note)),
      ) as IdentifiedClient['query'],
      transaction: (work, { snapshot = false } = {}) =>
        this.#counted(() => {
          const workOn = (under: ExplicitTransaction) =>
            work({ query: (statement) => under.query<never>(named(statement)).catch(throwRefusal) });
          return this.#runInTransaction(caller, snapshot, workOn, snapshot ? nothing : note);
        }),
    };
  }

  async inspect<Row>(statement: Statement, cancellation = new Cancellation()): Promise<Result<Row>> {
    const [result] = await this.#pool.use({ cancellation }, (lease) => lease.send([statement]));
    return result as Result<Row>;
  }

  load(): ReturnType<Database['load']> {
    const { open, idle, waiting, draining } = this.#pool.load;
    const inUse = (lane: Lane) => this.#pool.lanes.inUse(lane);
    const lanes = {
      write: inUse('write'),
      unshared: inUse('unshared'),
      bypass: inUse('bypass'),
      export: inUse('export'),
    };
    return { open, idle, waiting: waiting + this.#implicit.waiting, draining, lanes };
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#replica?.close()]);
  }

  /** Commits when `work` resolves, and rolls back when it rejects. @param note statements that go ahead of the commit. */
  #runInTransaction<T>(
    { identity, cancellation }: Caller,
    snapshot: boolean,
    work: (transaction: ExplicitTransaction) => Promise<T>,
    note: readonly Statement[],
  ): Promise<T> {
    const pool = this.#pool;
    const lanes = this.#lanesOf(identity, snapshot);
    return pool.use({ cancellation, lanes, tenant: identity.user ?? unnamed }, async (lease) => {
      // A nested query of a mutation holds a connection for writes: it has the time of a slow read, not the role's.
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

  /** Shares of the connections that an explicit transaction of `identity` counts in. */
  #lanesOf(identity: Identity, snapshot: boolean): Lane[] {
    if (snapshot) return ['export'];
    return identity.pipelined && this.#bypass.placeOf(identity) === 'bypass' ? ['write', 'bypass'] : ['write'];
  }

  /** Counts how the transaction of `work` ends. @throws IdentityRefusedError where Postgres has refused the identity. */
  async #counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#transactions.committed++;
      return result;
    } catch (cause) {
      const error = refusal(cause);
      count(error, this.#transactions);
      // A full disk, for example, is told by the statement and not by the connection.
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
