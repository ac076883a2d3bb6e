/** A todo as an answer shows it. */
export interface Row {
  readonly rowId: string;
  readonly title: string;
}

/** Whether what was asked for has happened; `unknown` where the answer was lost on the way. */
export type Outcome = 'done' | 'not done' | 'unknown';

/** No row: it was deleted, or never came to be. */
const absent = null;

/**
 * What one tenant's todos must be: what was asked for and acknowledged. A row whose last change has an unknown outcome
 * may be in any of several states, and is left alone until the next `settle`.
 */
export class ExpectedRows {
  /** By row id, the titles that the row may have. */
  readonly #rows = new Map<string, Set<string | typeof absent>>();
  readonly #requestedTitles = new Set<string>();

  /** Rows that are there for certain. */
  certainRows(): Row[] {
    return [...this.#rows].flatMap(([rowId, states]) => {
      const [title] = states;
      return states.size === 1 && title ? [{ rowId, title }] : [];
    });
  }

  /** Ids of rows whose state is not known. */
  uncertainIds(): string[] {
    return [...this.#rows].flatMap(([rowId, states]) => (states.size > 1 ? [rowId] : []));
  }

  /** A change is about to be asked for: a new title, or null for none. What is returned takes its outcome. */
  expectChange(rowId: string, title: string | typeof absent): (outcome: Outcome) => void {
    if (title) this.#requestedTitles.add(title);
    return (outcome) => {
      const before = this.#rows.get(rowId) ?? new Set([absent]);
      if (outcome === 'done') this.#rows.set(rowId, new Set([title]));
      if (outcome === 'unknown') this.#rows.set(rowId, new Set([...before, title]));
    };
  }

  /** What is wrong with `rows` as an answer about all of the tenant's todos. */
  checkAll(rows: readonly Row[]): string | undefined {
    const shown = new Set(rows.map(({ rowId }) => rowId));
    const lost = this.certainRows().find(({ rowId }) => !shown.has(rowId));
    if (shown.size < rows.length) return 'a row is there twice';
    return lost ? `${lost.rowId} "${lost.title}" is missing` : this.checkSome(rows);
  }

  /** What is wrong with `rows` as an answer about some of them. */
  checkSome(rows: readonly Row[]): string | undefined {
    const wrong = rows.find(({ rowId, title }) => !this.#rows.get(rowId)?.has(title));
    return wrong && `${wrong.rowId} is "${wrong.title}", and should be ${this.#describe(wrong.rowId)}`;
  }

  /** What is wrong with the answer about one row, which is null where there is none. */
  checkOne(rowId: string, row: Row | null): string | undefined {
    if (row) return row.rowId === rowId ? this.checkSome([row]) : `${row.rowId} is another row`;
    return this.#rows.get(rowId)?.has(absent) === false ? `${rowId} is missing` : undefined;
  }

  /** What is wrong with `rows` as somebody sees them who does not know what is being changed at this moment. */
  checkConcurrent(rows: readonly Row[]): string | undefined {
    const wrong = rows.find(({ title }) => !this.#requestedTitles.has(title));
    return wrong && `${wrong.rowId} is "${wrong.title}", which nobody asked for`;
  }

  /** Compares with what is really there while nothing runs, and takes it for certain from then on. */
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
