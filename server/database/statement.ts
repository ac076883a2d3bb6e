/** One SQL statement with bound values. With a name it is prepared once per connection. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string | undefined;
  /** Rows as arrays instead of objects. */
  readonly rowMode?: 'array' | undefined;
  /** Its rows are of no interest. */
  readonly discard?: boolean;
  /** What its only row has in the second column. Where it has not, nothing from there on is believed. */
  readonly confirms?: string;
  /** The GraphQL operation that asks for it, for whoever looks at what Postgres runs. */
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
