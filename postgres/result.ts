import pg from 'pg';
import type { Result } from './statement.ts';

/** The name of a column and the parser of its values. */
export interface Column {
  readonly name: string;
  readonly parse: (text: string) => unknown;
}

/** A column in a RowDescription message. */
export interface Field {
  readonly name: string;
  /** OID of its type. */
  readonly dataTypeID: number;
}

export function columnsOf(fields: readonly Field[]): Column[] {
  return fields.map(({ name, dataTypeID }) => ({ name, parse: pg.types.getTypeParser(dataTypeID, 'text') }));
}

/** Collects the result of one statement row by row. It parses values in text format with node-postgres' type parsers. */
export class ResultReader implements Result<unknown> {
  readonly rows: unknown[] = [];
  rowCount: number | null = null;
  /** The first word of the command tag: `SELECT`, `COMMIT`, … */
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
