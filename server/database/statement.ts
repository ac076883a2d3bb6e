/** One SQL statement with bound values. With a name it is prepared once per connection. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string | undefined;
  /** Rows as arrays instead of objects. */
  readonly rowMode?: 'array' | undefined;
  /** Its rows are of no interest. */
  readonly discard?: boolean;
}

/** Rows, as objects by column or, with `rowMode: 'array'`, as arrays. */
export interface Result<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
}
