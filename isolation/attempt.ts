export type Operation = 'select' | 'insert' | 'update' | 'delete' | 'call' | 'other';

/** How an attack reaches the database. */
type Path = 'sql' | 'http' | 'websocket' | 'interleaving';

/** One attack on one table, and its outcome. */
export interface Attempt {
  /** `schema.name` as in the catalog; a function's name includes its argument types. */
  readonly table: string;
  /** A stable name that is the same for every table: `select by key`, `update blind`. */
  readonly attack: string;
  readonly operation: Operation;
  readonly path: Path;
  /** The statement or request as sent, with its values; never contains a secret. */
  readonly statement: string;
  /** The answer, shortened. */
  readonly answer: string;
  readonly outcome: 'held' | 'leaked' | 'not applicable';
  /** For a leak, a sentence that names the row's owner and explains how the leak was detected. */
  readonly evidence?: string;
}

/** Cuts `text` to `length` characters. */
export function shorten(text: string, length = 300): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
