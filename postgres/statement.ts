/** Counts what is read for a request, and refuses more than it may have. */
export interface Meter {
  /** Bytes of one answer after which its connection is closed: a single value may be larger than any memory. */
  readonly mostOnWire: number;
  /** The error of a statement whose connection was closed for that. */
  refusal(): Error;
  /**
   * Counts bytes that were read; less than 0 where the statement has failed, and may run again.
   *
   * @throws the error that the statement is to fail with.
   */
  add(bytes: number): void;
}

/** One SQL statement with bound values. With a name it is prepared once per connection. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string | undefined;
  /** Rows as arrays instead of objects. */
  readonly rowMode?: 'array' | undefined;
  /** Its rows are of no interest. */
  readonly discard?: boolean;
  /** The expected user id, column 2 of the statement's only row. A mismatch rejects this result and the following ones. */
  readonly expectedUserId?: string;
  /** Counts the bytes of its rows. A statement that it refuses has run nevertheless: roll back what it wrote. */
  readonly meter?: Meter | undefined;
  /** The name of the GraphQL operation. A comment in the statement shows it in Postgres. */
  readonly operation?: string;
}

/**
 * A statement's text as it is sent, with the operation's name in a comment. A statement that a connection keeps prepared
 * is sent once, so that its comment names the operation that asked first, and costs nothing from then on. It stands
 * behind the first word: pg_stat_statements cuts off what is before it.
 */
export function sentText({ text, operation = '' }: Statement): string {
  if (!/^\w{1,60}$/.test(operation)) return text;
  return text.replace(/^\s*[a-z]+/i, (word) => `${word} /* operation ${operation} */`);
}

/** Rows, as objects by column or, with `rowMode: 'array'`, as arrays. */
export interface Result<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
}
