import type pg from 'pg';
import type { Logger } from 'pino';
import { type Identity, identityRefused } from './identity.ts';
import { openPool, type PoolOptions } from './pool.ts';
import { PrecededQuery } from './precededQuery.ts';
import type { Statement } from './statement.ts';

/** Rows, as objects by column or, with `rowMode: 'array'`, as arrays. */
export interface Result<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
}

/** A transaction that an identity has been established in. */
export interface Transaction {
  query<Row>(statement: Statement): Promise<Result<Row>>;
}

/** The token's session has ended, or its user is gone or inactive. */
export class IdentityRefusedError extends Error {}

/**
 * The one way to the database for everything that a request causes. Whoever wants a statement run must say for whom:
 * the authenticator that the connections belong to is nobody's identity.
 */
export interface Database {
  /**
   * Runs one statement as `identity`: one implicit transaction, one round trip.
   *
   * @throws IdentityRefusedError when the identity does not hold; pg.DatabaseError from the statement; whatever the
   *   connection reports when there is none.
   */
  query<Row>(identity: Identity, statement: Statement): Promise<Result<Row>>;
  /** Runs `work` in one transaction as `identity`: committed when it resolves, rolled back when it rejects. */
  transaction<T>(identity: Identity, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Runs a statement as the bare authenticator, which may read catalogs and what readiness needs, and no rows. */
  inspect<Row>(statement: Statement): Promise<Result<Row>>;
  /** Connections: open, idle, and requests that wait for one. */
  load(): { open: number; idle: number; waiting: number };
  close(): Promise<void>;
}

const begin: Statement = { name: 'hedgerow_begin', text: 'begin' };

/** Opens the server's pool. Connects on first use. */
export function openDatabase(url: string, options: PoolOptions, log: Logger): Database {
  const pool = openPool(url, options, log);

  async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    try {
      return await work(client);
    } catch (error) {
      throw isRefusal(error) ? new IdentityRefusedError('the session has ended', { cause: error }) : error;
    } finally {
      // Whatever is not known to be clean is never given to another tenant.
      client.release(!isClean(client));
    }
  }

  return {
    query: (identity, statement) => withClient((client) => inOneTrip(client, identity.statement, statement)),
    inspect: (statement) => withClient((client) => plain(client, statement)),
    transaction: (identity, work) =>
      withClient(async (client) => {
        await inOneTrip(client, begin, identity.statement);
        try {
          const result = await work({ query: (statement) => plain(client, statement) });
          const { command } = await client.query('commit');
          // A transaction that failed inside answers COMMIT with ROLLBACK and no error.
          if (command !== 'COMMIT') throw new Error('the transaction was rolled back');
          return result;
        } catch (error) {
          await client.query('rollback').catch(() => {});
          throw error;
        }
      }),
    load: () => ({ open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => pool.end(),
  };
}

function inOneTrip<Row>(client: pg.PoolClient, first: Statement, second: Statement): Promise<Result<Row>> {
  return new Promise((resolve, reject) => {
    client.query(new PrecededQuery(first, second, (error, result) => (error ? reject(error) : resolve(result))));
  });
}

function plain<Row>(client: pg.PoolClient, { values = [], ...statement }: Statement): Promise<Result<Row>> {
  return client.query<Row & pg.QueryResultRow>({ ...statement, values: [...values] } as pg.QueryConfig);
}

/** No transaction is open and no answer is outstanding. */
function isClean(client: pg.PoolClient): boolean {
  return client.getTransactionStatus() === 'I' && (client as unknown as { readyForQuery: boolean }).readyForQuery;
}

function isRefusal(error: unknown): boolean {
  return (error as pg.DatabaseError | undefined)?.code === identityRefused;
}
