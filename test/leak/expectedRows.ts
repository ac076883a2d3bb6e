/** A todo as an answer shows it. */
export interface Row {
  readonly rowId: string;
  readonly title: string;
}

/** Outcome of a requested change; `unknown` if the answer was lost. */
export type Outcome = 'done' | 'not done' | 'unknown';

/** State of a row that was deleted or never created. */
const absent = null;

/**
 * The todos that one tenant must have, derived from the requested and acknowledged changes. The state of a row is:
 *
 * - certain: one possible title, because every change of it was acknowledged;
 * - uncertain: several possible states, because the answer to a change was lost. Writes avoid the row until `settle`;
 * - absent: `null` is its only state.
 *
 * `settle` reads the stored rows between two rounds and makes all states certain again.
 *
 * The `check…` methods return a problem, or undefined.
 */
export class ExpectedRows {
  /** Possible titles by row id; `null` for an absent row. */
  readonly #rows = new Map<string, Set<string | typeof absent>>();
  /** Every title that a request has ever sent. */
  readonly #requestedTitles = new Set<string>();

  /** Rows whose state is certain. */
  certainRows(): Row[] {
    return [...this.#rows].flatMap(([rowId, states]) => {
      const [title] = states;
      return states.size === 1 && title ? [{ rowId, title }] : [];
    });
  }

  /** Ids of rows whose state is uncertain. */
  uncertainIds(): string[] {
    return [...this.#rows].flatMap(([rowId, states]) => (states.size > 1 ? [rowId] : []));
  }

  /**
   * Registers a change before its request is sent: a new title, or null for a deletion. Call the returned function with
   * the outcome.
   */
  expectChange(rowId: string, title: string | typeof absent): (outcome: Outcome) => void {
    if (title) this.#requestedTitles.add(title);
    return (outcome) => {
      const before = this.#rows.get(rowId) ?? new Set([absent]);
      if (outcome === 'done') this.#rows.set(rowId, new Set([title]));
      if (outcome === 'unknown') this.#rows.set(rowId, new Set([...before, title]));
    };
  }

  /** Checks an answer that must contain all todos of the tenant. */
  checkAll(rows: readonly Row[]): string | undefined {
    const shown = new Set(rows.map(({ rowId }) => rowId));
    const lost = this.certainRows().find(({ rowId }) => !shown.has(rowId));
    if (shown.size < rows.length) return 'a row appears twice';
    return lost ? `${lost.rowId} "${lost.title}" is missing` : this.checkSome(rows);
  }

  /** Checks an answer that contains some of the tenant's todos. */
  checkSome(rows: readonly Row[]): string | undefined {
    const wrong = rows.find(({ rowId, title }) => !this.#rows.get(rowId)?.has(title));
    return wrong && `${wrong.rowId} is "${wrong.title}", but should be ${this.#describe(wrong.rowId)}`;
  }

  /** Checks the answer to a read of one row; null if the server found none. */
  checkOne(rowId: string, row: Row | null): string | undefined {
    if (row) return row.rowId === rowId ? this.checkSome([row]) : `${row.rowId} is another row`;
    return this.#rows.get(rowId)?.has(absent) === false ? `${rowId} is missing` : undefined;
  }

  /** Checks rows that were read while other requests change them: each title must come from a request of the tenant. */
  checkConcurrent(rows: readonly Row[]): string | undefined {
    const wrong = rows.find(({ title }) => !this.#requestedTitles.has(title));
    return wrong && `${wrong.rowId} is "${wrong.title}", which no request wrote`;
  }

  /** Compares the stored rows with the expected ones while no request runs, and makes them the certain state. */
  settle(rows: readonly Row[]): string | undefined {
    const problem = this.checkAll(rows);
    this.#rows.clear();
    for (const { rowId, title } of rows) this.#rows.set(rowId, new Set([title]));
    return problem;
  }

  #describe(rowId: string): string {
    const states = [...(this.#rows.get(rowId) ?? [absent])];
    return states.map((title) => (title === absent ? 'absent' : `"${title}"`)).join(' or ');
  }
}
