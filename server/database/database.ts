import type pg from 'pg';
import type { Logger } from 'pino';
import { Apart } from './apart.ts';
import { Batch } from './batch.ts';
import { Cancellation, CancelledError } from './cancellation.ts';
import { connectionFault } from './connectionErrors.ts';
import { Identity, identityRefused } from './identity.ts';
import { Pipelines } from './pipelines.ts';
import { ConnectionPool, type PoolCounts, type PoolOptions } from './pool.ts';
import { isStale } from './prepared.ts';
import { Replica, type ReplicaCounts } from './replica.ts';
import { share } from './share.ts';
import type { Result, Statement } from './statement.ts';

/** A transaction that an identity has been established in. */
export interface Transaction {
  query<Row>(statement: Statement): Promise<Result<Row>>;
}

/** The token's session has ended, or its user is gone or inactive. */
export class IdentityRefusedError extends Error {}

interface TransactionOptions {
  /** It only reads, and all of it sees what was there at its first statement. */
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
  /** Off for poolers that do not track prepared statements. */
  readonly preparedStatements: boolean;
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
  /** Connections: open, idle, and requests that wait for one. */
  load(): { open: number; idle: number; waiting: number };
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
const commit: Statement = { name: 'hedgerow_commit', text: 'commit' };
const rollback: Statement = { name: 'hedgerow_rollback', text: 'rollback' };

/** Statements of a transaction that others may wait behind, at the most: each has its time. */
const few = 5;

/** SQLSTATE of a statement that was stopped, by its timeout for example. */
const queryCanceled = '57014';

/** What lies behind a tenant's transaction and is still of it. */
const nothing: readonly Statement[] = [];

/** Opens the server's connections. Connects on first use. */
export function openDatabase(url: string, options: DatabaseOptions, log: Logger): Database {
  const pool = new ConnectionPool(url, options, log);
  const transactions: TransactionCounts = { committed: 0, failed: 0, refused: 0, cancelled: 0, lost: 0 };

  // A pooler that does not track statements may not expect a transaction behind another one either.
  const pipelines = options.preparedStatements ? new Pipelines(pool, options.size) : undefined;
  const apart = new Apart((options.apartFor ?? 10) * 1000);

  const send = (client: pg.PoolClient, statements: readonly Statement[]) => {
    const batch = new Batch(statements, options.preparedStatements);
    client.query(batch as never);
    return batch.done.catch(refuse);
  };

  const replica = options.replicaUrl ? new Replica(options.replicaUrl, pool, send, options, log) : undefined;

  async function counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      transactions.committed++;
      return result;
    } catch (error) {
      count(error, transactions);
      throw error;
    }
  }

  function as(
    identity: Identity,
    { cancellation = new Cancellation(), readOnly = false, replica: mayReplica = true, operation }: ClientOptions = {},
  ): IdentifiedClient {
    if (!(identity instanceof Identity)) throw new TypeError('SQL was refused that speaks for nobody');
    const freshness = replica && identity.freshness;
    const note = (!readOnly && freshness?.note) || nothing;

    const named = (statements: readonly Statement[]) =>
      operation === undefined ? statements : statements.map((statement) => ({ ...statement, operation }));

    /** All of `statements` in one round trip, or none of them. */
    const together = async (statements: readonly Statement[]) => {
      const behind = [...statements, ...note];
      for (let stale = 0; ; stale++) {
        try {
          const results =
            (await inCompany(behind)) ??
            (await pool.use(cancellation, (client) => send(client, [identity.statement, ...behind])));
          return results.slice(1, 1 + statements.length);
        } catch (error) {
          // Nothing has happened, and the connection prepares it anew.
          if (!isStale(error) || stale === options.size) throw error;
          pool.counts.retries++;
        }
      }
    };

    /** Beside other requests' transactions; undefined where they would wait for it too long. Then nothing has happened. */
    const inCompany = async (statements: readonly Statement[]) => {
      if (!pipelines || !identity.inCompany || statements.length > few || apart.has(identity)) return undefined;
      try {
        return await pipelines.run(cancellation, [identity.inCompany, ...statements]);
      } catch (error) {
        if ((error as pg.DatabaseError).code !== queryCanceled) return refuse(error);
        pool.counts.apart++;
        apart.add(identity);
        return undefined;
      }
    };

    const read = async (statements: readonly Statement[]) => {
      const results = mayReplica && freshness && (await replica?.read(freshness, cancellation, statements));
      if (results) return results;
      try {
        return await together(statements);
      } catch (error) {
        // A read may be sent twice. A write may not: the connection can be lost after the commit.
        if (connectionFault(error)?.cause !== 'connection lost') throw error;
        pool.counts.retries++;
        return together(statements);
      }
    };

    const transaction = async <T>(
      client: pg.PoolClient,
      first: Statement,
      last: readonly Statement[],
      work: (transaction: Transaction) => Promise<T>,
    ) => {
      // Beginning it costs no round trip of its own: that goes ahead of the first statement, in the same flush.
      let opening = [first, identity.statement];
      const query = async (...statements: readonly Statement[]) => {
        cancellation.check();
        const all = [...opening, ...statements];
        opening = [];
        try {
          return (await send(client, all)).at(-1);
        } catch (error) {
          // The connection of what was given up is destroyed: that is not why it failed.
          cancellation.check();
          throw error;
        }
      };
      try {
        const result = await work({
          query: async <Row>(statement: Statement) => (await query(...named([statement]))) as Result<Row>,
        });
        const ended = (await query(...last, commit)) as Result<never> & { command: string };
        // A transaction that failed inside answers COMMIT with ROLLBACK and no error.
        if (ended.command !== 'COMMIT') throw new Error('the transaction was rolled back');
        return result;
      } catch (error) {
        // Where this fails too, the connection is not idle and will not be used again.
        if (opening.length === 0) await send(client, [rollback]).catch(() => {});
        throw error;
      }
    };

    const run = readOnly ? read : together;
    return {
      query: share((statements) => counted(() => run(named(statements)))) as IdentifiedClient['query'],
      transaction: (work, { snapshot = false } = {}) => {
        const [first, last] = snapshot ? [beginSnapshot, nothing] : [begin, note];
        return counted(() => pool.use(cancellation, (client) => transaction(client, first, last, work)));
      },
    };
  }

  return {
    as,
    inspect: <Row>(statement: Statement, cancellation = new Cancellation()) =>
      pool.use(cancellation, async (client) => (await send(client, [statement]))[0] as Result<Row>),
    load: () => ({ ...pool.load, waiting: pool.load.waiting + (pipelines?.waiting ?? 0) }),
    counts: Object.assign(pool.counts, { transactions }, replica && { replica: replica.counts }),
    close: async () => {
      await Promise.all([pool.close(), replica?.close()]);
    },
  };
}

/** @throws */
function refuse(error: unknown): never {
  const refused = (error as pg.DatabaseError).code === identityRefused;
  throw refused ? new IdentityRefusedError('the session has ended', { cause: error }) : error;
}

function count(error: unknown, counts: TransactionCounts): void {
  if (error instanceof IdentityRefusedError) counts.refused++;
  else if (error instanceof CancelledError) counts.cancelled++;
  else if (connectionFault(error)) counts.lost++;
  else counts.failed++;
}
