/** Counts the bytes that a request reads, and limits them. */
export interface Meter {
  /** Bytes of one answer after which its connection is closed. A single value may be larger than the memory. */
  readonly maxAnswerBytes: number;
  /** Creates the error for a statement whose answer exceeded `maxAnswerBytes`. */
  refusal(): Error;
  /**
   * Counts bytes that were read. A negative number takes bytes back after a failure, because the statement may run again.
   *
   * @throws the error of a statement that exceeds the limit.
   */
  add(bytes: number): void;
}

/** One SQL statement with bound values. A statement with a name is prepared once per connection. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string | undefined;
  /** Returns rows as arrays instead of objects. */
  readonly rowMode?: 'array' | undefined;
  /** Ignores its rows. */
  readonly discard?: boolean;
  /** The expected user id, column 2 of the statement's only row. A mismatch closes the connection. */
  readonly expectedUserId?: string;
  /** Counts the bytes of its rows. A statement that exceeds the limit has run: roll back its writes. */
  readonly meter?: Meter | undefined;
  /** The name of the GraphQL operation. A comment in the statement shows it in Postgres. */
  readonly operation?: string;
}

/**
 * Returns the text to send: the statement with the name of its GraphQL operation in a comment. A connection sends a
 * prepared statement once, so the comment names the first operation that used it and costs nothing later. The comment
 * follows the first word, because pg_stat_statements removes comments before it.
 */
export function sentText({ text, operation = '' }: Statement): string {
  if (!/^\w{1,60}$/.test(operation)) return text;
  return text.replace(/^\s*[a-z]+/i, (word) => `${word} /* operation ${operation} */`);
}

/** The rows of a statement: objects by column name, or arrays with `rowMode: 'array'`. */
export interface Result<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
}
