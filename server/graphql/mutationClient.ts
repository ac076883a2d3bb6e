import type { Result, Statement } from '../../postgres/statement.ts';
import type { IdentifiedClient, Transaction } from '../tenancy/tenantDatabase.ts';

/** The part of a tenant's client that PostGraphile uses. */
export type TenantClient = Pick<IdentifiedClient, 'query' | 'transaction'>;

/** The statement was not run, because another part of the same mutation had failed. */
export class MutationFailedError extends Error {}

/**
 * A tenant's client for the time of one mutation operation: all of its statements share a transaction, until `commit` or
 * `rollback`. A mutation that is known to be one statement needs no more than the implicit transaction of that statement.
 */
export class MutationClient implements TenantClient {
  readonly #client: TenantClient;
  #isOneStatement = false;
  /** The one statement was. */
  #sent = false;
  #failed = false;
  #begun: Promise<Transaction> | undefined;
  #end: ((commit: boolean) => void) | undefined;
  /** Whether it was to be committed, once the mutation has ended. */
  #outcome: boolean | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(client: TenantClient) {
    this.#client = client;
  }

  /** Promises that there will be no second statement: then one round trip does. */
  expectOneStatement(): void {
    this.#isOneStatement = true;
  }

  /** Whether its one statement has been committed by itself. */
  get isCommitted(): boolean {
    return this.#sent;
  }

  async query<Row>(statement: Statement): Promise<Result<Row>> {
    if (!this.#isOneStatement) return this.transaction(({ query }) => query<Row>(statement));
    if (this.#sent) throw new Error('a mutation of one statement asked for a second one');
    this.#sent = true;
    // It commits before its row is read: the answer of what has happened must not become an error.
    return this.#client.query<Row>({ ...statement, meter: undefined });
  }

  /** The mutation's own transaction: when `work` fails, whatever it made of its own savepoints, the whole does. */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      return await work({
        query: async (statement) => {
          if (this.#failed) throw new MutationFailedError('another part of this mutation has failed');
          return (await this.#transaction()).query(statement);
        },
      });
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /**
   * Commits what was done, if anything was. Resolves once Postgres has.
   *
   * @throws what the commit reports; then nothing has happened.
   */
  async commit(): Promise<void> {
    this.#finish(!this.#failed);
    await this.#ended;
  }

  /** Undoes what was done, if anything was. Whatever becomes of the connection, nothing has happened then. */
  async rollback(): Promise<void> {
    this.#finish(false);
    await this.#ended.catch(() => {});
  }

  #finish(commit: boolean): void {
    this.#outcome = commit;
    this.#end?.(commit);
  }

  #transaction(): Promise<Transaction> {
    this.#begun ??= new Promise((resolve, reject) => {
      const work = (transaction: Transaction) =>
        new Promise<void>((done, undo) => {
          this.#end = (commit) => (commit ? done() : undo(new MutationFailedError('rolled back')));
          // The mutation may have ended while this waited for a connection.
          if (this.#outcome !== undefined) this.#end(this.#outcome);
          resolve(transaction);
        });
      this.#ended = this.#client.transaction(work).catch((error) => {
        reject(error);
        if (!(error instanceof MutationFailedError)) throw error;
      });
      this.#ended.catch(() => {});
    });
    return this.#begun;
  }
}
