import type pg from 'pg';
import type { Logger } from 'pino';
import { Batch } from './batch.ts';
import { Cancellation, CancelledError } from './cancellation.ts';
import { connectionFault } from './connectionErrors.ts';
import { Identity, identityRefused } from './identity.ts';
import { ConnectionPool, type PoolCounts, type PoolOptions } from './pool.ts';
import { Replica, type ReplicaCounts } from './replica.ts';
import { share } from './share.ts';
import type { Result, Statement } from './statement.ts';

/** A transaction that an identity has been established in. */
export interface Transaction {
  query<Row>(statement: Statement): Promise<Result<Row>>;
}

/** The token's session has ended, or its user is gone or inactive. */
export class IdentityRefusedError extends Error {}

/** SQL on behalf of one identity, for one request. There is no other way to run any. */
export interface IdentifiedClient {
  /**
   * Runs one statement: one implicit transaction, one round trip. Statements asked for in the same tick share both.
   *
   * @throws IdentityRefusedError when the identity does not hold; pg.DatabaseError from the statement; CancelledError
   *   when the request was given up; whatever the connection reports when there is none.
   */
  query<Row>(statement: Statement): Promise<Result<Row>>;
  /** Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
}

interface ClientOptions {
  /** Gives up what runs for the request; by default nothing does. */
  readonly cancellation?: Cancellation;
  /** It only reads, so that a statement whose connection was lost may be sent again. */
  readonly readOnly?: boolean;
  /** False: it reads what somebody else has just written, which a replica may not have. */
  readonly replica?: boolean;
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
const commit: Statement = { name: 'hedgerow_commit', text: 'commit' };
const rollback: Statement = { name: 'hedgerow_rollback', text: 'rollback' };

/** What lies behind a tenant's transaction and is still of it. */
const nothing: readonly Statement[] = [];

/** Opens the server's connections. Connects on first use. */
export function openDatabase(url: string, options: DatabaseOptions, log: Logger): Database {
  const pool = new ConnectionPool(url, options, log);
  const transactions: TransactionCounts = { committed: 0, failed: 0, refused: 0, cancelled: 0, lost: 0 };

  const send = (client: pg.PoolClient, statements: readonly Statement[]) => {
    const batch = new Batch(statements, options.preparedStatements);
    client.query(batch as never);
    return batch.done;
  };

  const replica = options.replicaUrl ? new Replica(options.replicaUrl, pool, send, options, log) : undefined;

  async function counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      transactions.committed++;
      return result;
    } catch (error) {
      throw account(error, transactions);
    }
  }

  function as(
    identity: Identity,
    { cancellation = new Cancellation(), readOnly = false, replica: mayReplica = true }: ClientOptions = {},
  ): IdentifiedClient {
    if (!(identity instanceof Identity)) throw new TypeError('SQL was refused that speaks for nobody');
    const freshness = replica && identity.freshness;
    const note = (!readOnly && freshness?.note) || nothing;

    /** All of `statements` in one round trip, or none of them. */
    const together = (statements: readonly Statement[]) =>
      pool.use(cancellation, async (client) => {
        const results = await send(client, [identity.statement, ...statements, ...note]);
        return results.slice(1, 1 + statements.length);
      });

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

    const transaction = async <T>(client: pg.PoolClient, work: (transaction: Transaction) => Promise<T>) => {
      const query = async (...statements: Statement[]) => {
        cancellation.check();
        return (await send(client, statements))[0];
      };
      try {
        await query(begin, identity.statement);
        const result = await work({
          query: async <Row>(statement: Statement) => (await query(statement)) as Result<Row>,
        });
        if (note.length > 0) await query(...note);
        const ended = (await query(commit)) as Result<never> & { command: string };
        // A transaction that failed inside answers COMMIT with ROLLBACK and no error.
        if (ended.command !== 'COMMIT') throw new Error('the transaction was rolled back');
        return result;
      } catch (error) {
        // Where this fails too, the connection is not idle and will not be used again.
        await send(client, [rollback]).catch(() => {});
        throw error;
      }
    };

    const run = readOnly ? read : together;
    return {
      query: share((statements) => counted(() => run(statements))) as IdentifiedClient['query'],
      transaction: (work) => counted(() => pool.use(cancellation, (client) => transaction(client, work))),
    };
  }

  return {
    as,
    inspect: <Row>(statement: Statement, cancellation = new Cancellation()) =>
      pool.use(cancellation, async (client) => (await send(client, [statement]))[0] as Result<Row>),
    load: () => pool.load,
    counts: Object.assign(pool.counts, { transactions }, replica && { replica: replica.counts }),
    close: async () => {
      await Promise.all([pool.close(), replica?.close()]);
    },
  };
}

/** Counts a failure, and gives the refusal of an identity its own type. */
function account(error: unknown, counts: TransactionCounts): unknown {
  if ((error as pg.DatabaseError).code === identityRefused) {
    counts.refused++;
    return new IdentityRefusedError('the session has ended', { cause: error });
  }
  if (error instanceof CancelledError) counts.cancelled++;
  else if (connectionFault(error)) counts.lost++;
  else counts.failed++;
  return error;
}
