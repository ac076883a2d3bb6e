import type { Cancellation } from './cancellation.ts';
import type { Lease } from './lease.ts';
import type { Result, Statement } from './statement.ts';

/** A transaction with an established identity. */
export interface Transaction {
  query<Row>(statement: Statement): Promise<Result<Row>>;
}

const commit: Statement = { name: 'hedgerow_commit', text: 'commit' };
const rollback: Statement = { name: 'hedgerow_rollback', text: 'rollback' };

/** Maximum of statements that a transaction keeps to replay them. */
const maxReplayed = 20;

/** Maximum of attempts per statement. Each restart has the connection prepare its stale statements again. */
const maxAttempts = 4;

/** A statement that returned no rows, and the number of rows that it changed. */
interface CompletedStatement {
  readonly statement: Statement;
  readonly rowCount: number | null;
}

/**
 * A transaction of several statements on one connection. The statements run one after the other.
 *
 * - _not begun_: BEGIN and the identity precede the first statement, in the same batch.
 * - _begun_: each statement is a separate batch.
 * - _restarted_: a statement was stale, because a migration has changed its columns. Nothing is committed, so the
 *   transaction rolls back, replays its earlier statements, and runs the stale one again. It restarts only if the earlier
 *   statements returned no rows and change as many rows as before: then the restart has no visible effect.
 * - _broken_: the restart failed. Every further statement fails, and so does the commit.
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
  /** Statements to replay; undefined once one has returned rows, because a restart is then impossible. */
  #completed: CompletedStatement[] | undefined = [];
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param opening statements that begin the transaction and establish its identity.
   * @param isStale whether a statement failed without any effect because a prepared statement was stale.
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

  /** Runs the statements `last` and commits. @throws Error if Postgres rolled the transaction back instead. */
  async commit(last: readonly Statement[]): Promise<void> {
    const ended = (await this.#inTurn([...last, commit], true)).at(-1) as Result<unknown> & { command: string };
    // In a failed transaction, Postgres answers COMMIT with the tag ROLLBACK and no error.
    if (ended.command !== 'COMMIT') throw new Error('the transaction was rolled back');
  }

  /** Rolls back the transaction if it has begun. If this fails, the connection is not idle and the pool destroys it. */
  async rollback(): Promise<void> {
    await this.#last;
    if (this.#begun) await this.#lease.send([rollback]).catch(() => {});
  }

  /** Runs concurrent statements one after the other, because the first one may run twice. */
  #inTurn(statements: readonly Statement[], mayCommit: boolean): Promise<Result<unknown>[]> {
    const results = this.#last.then(() => this.#run(statements, mayCommit));
    this.#last = results.catch(() => {});
    return results;
  }

  async #run(statements: readonly Statement[], mayCommit: boolean): Promise<Result<unknown>[]> {
    for (let attempt = 1; ; attempt++) {
      this.#cancellation.check();
      if (this.#broken) throw this.#broken;
      const isFirst = !this.#begun;
      try {
        const results = await this.#send(statements, mayCommit);
        this.#keep(statements, results);
        return results;
      } catch (error) {
        // Cancellation destroys the connection. Report the cancellation, and not the lost connection.
        this.#cancellation.check();
        if (!this.#isStale(error) || attempt === maxAttempts || !this.#completed) {
          // It is unknown whether the transaction has begun. No statement may run without its identity.
          if (isFirst) this.#broken = error;
          throw error;
        }
        await this.#restart(error, this.#completed);
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
    if (results.some(({ rows }) => rows.length > 0) || (this.#completed?.length ?? 0) > maxReplayed)
      this.#completed = undefined;
    for (const [index, statement] of statements.entries())
      this.#completed?.push({ statement, rowCount: results[index]?.rowCount ?? null });
  }

  async #restart(stale: unknown, completed: readonly CompletedStatement[]): Promise<void> {
    // The transaction stays broken unless all of this succeeds, even if its caller ignores the error.
    this.#broken = stale;
    await this.#lease.send([rollback]);
    this.#begun = false;
    for (const { statement, rowCount } of completed) {
      const [replayed] = await this.#send([statement]);
      if (!replayed || replayed.rows.length > 0 || replayed.rowCount !== rowCount) throw stale;
    }
    this.#broken = undefined;
  }
}
