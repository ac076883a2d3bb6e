import type { Logger } from 'pino';
import { Apart } from './apart.ts';
import { Cancellation, CancelledError } from './cancellation.ts';
import { connectionFault } from './connectionErrors.ts';
import { ExplicitTransaction, type Transaction } from './explicitTransaction.ts';
import { Identity, IdentityRefusedError } from './identity.ts';
import { ImplicitTransactions } from './implicitTransactions.ts';
import { type Lane, sharesOf, unnamed } from './lanes.ts';
import { ConnectionPool, type PoolCounts, type PoolOptions } from './pool.ts';
import { Replica, type ReplicaCounts } from './replica.ts';
import { share } from './share.ts';
import type { Result, Statement } from './statement.ts';

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
  /** Seconds for which a user stays apart whose transaction has kept others waiting; 10 by default. */
  readonly apartFor?: number;
}

export interface Database {
  /** SQL as `identity`: whoever wants any must say for whom. */
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
  readonly counts: PoolCounts & {
    readonly transactions: TransactionCounts;
    /** Absent where there is no replica. */
    readonly replica?: ReplicaCounts;
  };
  close(): Promise<void>;
}

const begin: Statement = { name: 'hedgerow_begin', text: 'begin', discard: true };
const beginSnapshot: Statement = {
  name: 'hedgerow_begin_snapshot',
  text: 'begin isolation level repeatable read, read only',
  discard: true,
};
/** Milliseconds: the user of a transaction whose statements took longer bypasses the pipelines for a while. */
const longTransaction = 250;

/** What lies behind a tenant's transaction and is still of it. */
const nothing: readonly Statement[] = [];

/** Opens the server's connections. Connects on first use. */
export function openDatabase(url: string, options: DatabaseOptions, log: Logger): Database {
  const pool = new ConnectionPool(url, options, log);
  const transactions: TransactionCounts = { committed: 0, failed: 0, refused: 0, cancelled: 0, lost: 0 };
  const apart = new Apart((options.apartFor ?? 10) * 1000);
  const replica = options.replicaUrl ? new Replica(options.replicaUrl, pool, options, log) : undefined;
  const implicit = new ImplicitTransactions(pool, options.size, replica, apart);

  async function counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      transactions.committed++;
      return result;
    } catch (error) {
      count(error, transactions);
      // A full disk, for example, is told by the statement and not by the connection.
      if (connectionFault(error) && !pool.neverConnected(error)) pool.faults.report(error);
      throw error;
    }
  }

  /** Shares of the connections that an explicit transaction of `identity` counts in. */
  const lanesOf = (identity: Identity, snapshot: boolean): Lane[] => {
    if (snapshot) return ['export'];
    return identity.inCompany && apart.placeOf(identity) === 'bypass' ? ['write', 'bypass'] : ['write'];
  };

  function as(
    identity: Identity,
    { cancellation = new Cancellation(), readOnly = false, replica: mayReplica = true, operation }: ClientOptions = {},
  ): IdentifiedClient {
    if (!(identity instanceof Identity)) throw new TypeError('An Identity is required to run SQL');
    const freshness = replica && identity.freshness;
    const note = (!readOnly && freshness?.note) || nothing;
    const caller = { identity, cancellation, readOnly, freshness: mayReplica ? freshness : undefined };

    const named = (statement: Statement) => (operation === undefined ? statement : { ...statement, operation });

    const transaction = async <T>(work: (transaction: Transaction) => Promise<T>, snapshot: boolean): Promise<T> => {
      const lanes = lanesOf(identity, snapshot);
      return pool.use({ cancellation, lanes, tenant: identity.user ?? unnamed }, async (lease) => {
        // A nested query of a mutation holds a connection for writes: it has the time of a slow read, not the role's.
        const opening = snapshot
          ? [beginSnapshot, identity.statement]
          : [begin, identity.bypassing ?? identity.statement];
        const under = new ExplicitTransaction(lease, cancellation, opening, (error) => pool.isStale(error));
        try {
          const result = await work({ query: (statement) => under.query(named(statement)) });
          await under.commit(snapshot ? nothing : note);
          return result;
        } catch (error) {
          await under.rollback();
          throw error;
        } finally {
          if (!snapshot && identity.inCompany && under.busy > longTransaction) apart.demote(identity, 'bypass');
        }
      });
    };

    return {
      query: share((statements) =>
        counted(() => implicit.run(caller, statements.map(named), note)),
      ) as IdentifiedClient['query'],
      transaction: (work, { snapshot = false } = {}) => counted(() => transaction(work, snapshot)),
    };
  }

  return {
    as,
    inspect: <Row>(statement: Statement, cancellation = new Cancellation()) =>
      pool.use({ cancellation }, async (lease) => (await lease.send([statement]))[0] as Result<Row>),
    load: () => {
      const { open, idle, waiting, draining } = pool.load;
      const inUse = (lane: Lane) => pool.lanes.inUse(lane);
      const lanes = {
        write: inUse('write'),
        unshared: inUse('unshared'),
        bypass: inUse('bypass'),
        export: inUse('export'),
      };
      return { open, idle, waiting: waiting + implicit.waiting, draining, lanes };
    },
    exports: sharesOf(options.size).export.total,
    counts: Object.assign(pool.counts, { transactions }, replica && { replica: replica.counts }),
    close: async () => {
      await Promise.all([pool.close(), replica?.close()]);
    },
  };
}

function count(error: unknown, counts: TransactionCounts): void {
  if (error instanceof IdentityRefusedError) counts.refused++;
  else if (error instanceof CancelledError) counts.cancelled++;
  else if (connectionFault(error)) counts.lost++;
  else counts.failed++;
}
