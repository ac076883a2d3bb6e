import pg from 'pg';
import type { Result } from './statement.ts';

/** How a column of a statement's rows is called and read. */
export interface Column {
  readonly name: string;
  readonly parse: (text: string) => unknown;
}

/** A column as Postgres describes it. */
export interface Field {
  readonly name: string;
  /** The type's OID. */
  readonly dataTypeID: number;
}

export function columnsOf(fields: readonly Field[]): Column[] {
  return fields.map(({ name, dataTypeID }) => ({ name, parse: pg.types.getTypeParser(dataTypeID, 'text') }));
}

/** What one statement answers, while it comes in: values in text form, read with the parsers of node-postgres. */
export class ResultReader implements Result<unknown> {
  readonly rows: unknown[] = [];
  rowCount: number | null = null;
  /** What was done: `SELECT`, `COMMIT`, … */
  command = '';
  readonly #columns: readonly Column[];
  readonly #asArray: boolean;

  constructor(columns: readonly Column[], asArray: boolean) {
    this.#columns = columns;
    this.#asArray = asArray;
  }

  add(values: readonly (string | null)[]): void {
    const read = values.map((value, index) => (value === null ? null : this.#columns[index]?.parse(value)));
    if (this.#asArray) this.rows.push(read);
    else this.rows.push(Object.fromEntries(this.#columns.map(({ name }, index) => [name, read[index]])));
  }

  /** @param tag Postgres' command tag: `INSERT 0 1`, `COMMIT`. */
  complete(tag: string): this {
    const count = Number(tag.slice(tag.lastIndexOf(' ') + 1));
    this.rowCount = Number.isNaN(count) ? null : count;
    this.command = tag.split(' ', 1)[0] as string;
    return this;
  }
}
