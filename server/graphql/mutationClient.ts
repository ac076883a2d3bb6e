import type { Result, Statement } from '../../postgres/statement.ts';
import type { IdentifiedClient, Transaction } from '../tenancy/tenantDatabase.ts';

/** The part of a tenant's client that PostGraphile uses. */
export interface TenantClient extends Pick<IdentifiedClient, 'query' | 'transaction'> {
  /** The organization of a mutation; `undefined` if it acts for none. Explains errors only. */
  readonly organizationId?: string | undefined;
}

/** The statement did not run, because another part of the same mutation had failed. */
export class MutationFailedError extends Error {}

/**
 * A tenant's client for one mutation operation. All of its statements share one transaction.
 *
 * - It starts without a transaction.
 * - The first statement begins the transaction. A failed statement marks it as failed; later statements do not run.
 * - `commit` or `rollback` ends it.
 *
 * After `expectOneStatement`, the only statement runs in an implicit transaction, which commits by itself.
 */
export class MutationClient implements TenantClient {
  readonly organizationId: string | undefined;
  readonly #client: TenantClient;
  #isOneStatement = false;
  /** The only statement was sent. */
  #sent = false;
  #failed = false;
  #begun: Promise<Transaction> | undefined;
  #end: ((commit: boolean) => void) | undefined;
  /** True after `commit`, false after `rollback` or a failure, `undefined` before the mutation ends. */
  #outcome: boolean | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(client: TenantClient, organizationId?: string) {
    this.#client = client;
    this.organizationId = organizationId;
  }

  /** Declares that there will be only one statement, so that one round trip suffices. */
  expectOneStatement(): void {
    this.#isOneStatement = true;
  }

  /** The only statement was sent, and commits by itself. */
  get isCommitted(): boolean {
    return this.#sent;
  }

  async query<Row>(statement: Statement): Promise<Result<Row>> {
    if (!this.#isOneStatement) return this.transaction(({ query }) => query<Row>(statement));
    if (this.#sent) throw new Error('a single-statement mutation sent a second statement');
    this.#sent = true;
    // No meter: the statement commits before its row is read, so a limit on reads must not turn success into an error.
    return this.#client.query<Row>({ ...statement, meter: undefined });
  }

  /** Runs `work` in the mutation's transaction. If `work` fails, the whole mutation fails, even with savepoints in `work`. */
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
   * Commits the transaction, if there is one. Resolves when Postgres has committed.
   *
   * @throws the error of the commit. The mutation then has no effect.
   */
  async commit(): Promise<void> {
    this.#finish(!this.#failed);
    await this.#ended;
  }

  /** Rolls back the transaction, if there is one. The mutation has no effect, even if the connection fails. */
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
          // The mutation may have ended while it waited for a connection.
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
