import type { Cancellation } from './cancellation.ts';
import type { Lease } from './lease.ts';
import type { Result, Statement } from './statement.ts';

/** A transaction that an identity has been established in. */
export interface Transaction {
  query<Row>(statement: Statement): Promise<Result<Row>>;
}

const commit: Statement = { name: 'hedgerow_commit', text: 'commit' };
const rollback: Statement = { name: 'hedgerow_rollback', text: 'rollback' };

/** Statements of one transaction that are kept to be sent again. */
const mostReplayed = 20;

/** Times that a transaction begins again: each time the connection has prepared what was stale. */
const mostBeginnings = 4;

/** A statement that answered without rows, and how many rows it changed. */
interface Done {
  readonly statement: Statement;
  readonly rowCount: number | null;
}

/**
 * A transaction of several statements, one after the other, on one connection.
 *
 * - _not begun_: BEGIN and the identity go ahead of the first statement, in its batch.
 * - _begun_: each statement is a batch of its own.
 * - _begun again_: a statement was stale, because a migration has changed what it returns. Nothing is committed, so the
 *   transaction is rolled back, its statements so far are sent again, and then the stale one. That is done while those have
 *   answered without rows and change as many rows as before: then nobody can tell the difference.
 * - _broken_: it could not be begun again. Every further statement fails, and so does the commit.
 */
export class ExplicitTransaction implements Transaction {
  /** Milliseconds that its statements have taken, without the commit. */
  busy = 0;
  readonly #lease: Lease;
  readonly #cancellation: Cancellation;
  readonly #opening: readonly Statement[];
  readonly #isStale: (error: unknown) => boolean;
  #begun = false;
  #broken: unknown;
  /** Statements to send again; undefined once one has answered with rows. */
  #done: Done[] | undefined = [];
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param opening what begins it and establishes its identity.
   * @param isStale whether a statement did nothing because what the connection keeps prepared was stale.
   */
  constructor(
    lease: Lease,
    cancellation: Cancellation,
    opening: readonly Statement[],
    isStale: (error: unknown) => boolean,
  ) {
    this.#lease = lease;
    this.#cancellation = cancellation;
    this.#opening = opening;
    this.#isStale = isStale;
  }

  async query<Row>(statement: Statement): Promise<Result<Row>> {
    const [result] = await this.#inTurn([statement], false);
    return result as Result<Row>;
  }

  /** Commits, behind the statements `last`. @throws where the transaction was rolled back instead. */
  async commit(last: readonly Statement[]): Promise<void> {
    const ended = (await this.#inTurn([...last, commit], true)).at(-1) as Result<unknown> & { command: string };
    // A transaction that failed inside answers COMMIT with ROLLBACK and no error.
    if (ended.command !== 'COMMIT') throw new Error('the transaction was rolled back');
  }

  /** Rolls back what was begun. Where this fails, the connection is not idle and will not be used again. */
  async rollback(): Promise<void> {
    await this.#last;
    if (this.#begun) await this.#lease.send([rollback]).catch(() => {});
  }

  /** Statements that are asked for at the same time wait for one another: the first one may have to be sent twice. */
  #inTurn(statements: readonly Statement[], mayCommit: boolean): Promise<Result<unknown>[]> {
    const answer = this.#last.then(() => this.#run(statements, mayCommit));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #run(statements: readonly Statement[], mayCommit: boolean): Promise<Result<unknown>[]> {
    for (let beginnings = 1; ; beginnings++) {
      this.#cancellation.check();
      if (this.#broken) throw this.#broken;
      const isFirst = !this.#begun;
      try {
        const results = await this.#send(statements, mayCommit);
        this.#keep(statements, results);
        return results;
      } catch (error) {
        // The connection of what was given up is destroyed: that is not why it failed.
        this.#cancellation.check();
        if (!this.#isStale(error) || beginnings === mostBeginnings || !this.#done) {
          // It is not known whether it was begun at all: nothing must run without its identity.
          if (isFirst) this.#broken = error;
          throw error;
        }
        await this.#beginAgain(error, this.#done);
      }
    }
  }

  async #send(statements: readonly Statement[], mayCommit = false): Promise<Result<unknown>[]> {
    const start = performance.now();
    const opening = this.#begun ? [] : this.#opening;
    this.#begun = true;
    const results = await this.#lease.send([...opening, ...statements], mayCommit);
    this.busy += mayCommit ? 0 : performance.now() - start;
    return results.slice(opening.length);
  }

  #keep(statements: readonly Statement[], results: readonly Result<unknown>[]): void {
    if (results.some(({ rows }) => rows.length > 0) || (this.#done?.length ?? 0) > mostReplayed) this.#done = undefined;
    for (const [index, statement] of statements.entries())
      this.#done?.push({ statement, rowCount: results[index]?.rowCount ?? null });
  }

  async #beginAgain(stale: unknown, done: readonly Done[]): Promise<void> {
    // It fails later unless all of this succeeds, whatever its user makes of the error.
    this.#broken = stale;
    await this.#lease.send([rollback]);
    this.#begun = false;
    for (const { statement, rowCount } of done) {
      const [again] = await this.#send([statement]);
      if (!again || again.rows.length > 0 || again.rowCount !== rowCount) throw stale;
    }
    this.#broken = undefined;
  }
}
