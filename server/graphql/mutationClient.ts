import type { IdentifiedClient, Transaction } from '../database/database.ts';
import type { Result, Statement } from '../database/statement.ts';

/** What PostGraphile needs of a tenant's client. */
export type TenantClient = Pick<IdentifiedClient, 'query' | 'transaction'>;

/** The statement was not run, because another part of the same mutation had failed. */
export class MutationFailedError extends Error {}

/**
 * A tenant's client for the time of one mutation operation: all of its statements share a transaction, which `finish`
 * ends. A mutation that is known to be one statement needs no more than the implicit transaction of that statement.
 */
export class MutationClient implements TenantClient {
  readonly #client: TenantClient;
  #isOneStatement = false;
  #failed = false;
  #begun: Promise<Transaction> | undefined;
  #end: ((commit: boolean) => void) | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(client: TenantClient) {
    this.#client = client;
  }

  /** Promises that there will be no second statement: then one round trip does. */
  expectOneStatement(): void {
    this.#isOneStatement = true;
  }

  async query<Row>(statement: Statement): Promise<Result<Row>> {
    if (this.#failed) throw new MutationFailedError('another part of this mutation has failed');
    try {
      if (!this.#isOneStatement) return await (await this.#transaction()).query<Row>(statement);
      if (this.#begun) throw new Error('a mutation of one statement asked for a second one');
      this.#begun = Promise.reject(new MutationFailedError('the mutation was one statement'));
      this.#begun.catch(() => {});
      return await this.#client.query<Row>(statement);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /** The mutation's own transaction: what fails inside fails the whole. */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      return await work(this);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /**
   * Ends the transaction, if one was begun. Resolves once Postgres has.
   *
   * @throws what the commit reports; then nothing has happened.
   */
  async finish(commit: boolean): Promise<void> {
    this.#end?.(commit && !this.#failed);
    await this.#ended;
  }

  #transaction(): Promise<Transaction> {
    this.#begun ??= new Promise((resolve, reject) => {
      const work = (transaction: Transaction) =>
        new Promise<void>((done, roll) => {
          this.#end = (commit) => (commit ? done() : roll(new MutationFailedError('rolled back')));
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
