export type Operation = 'select' | 'insert' | 'update' | 'delete' | 'call' | 'other';

/** How an attack reaches the database. */
type Path = 'sql' | 'http' | 'websocket' | 'interleaving';

/** One attack on one table, and what came of it. */
export interface Attempt {
  /** `schema.name` as in the catalog; of a function with its argument types. */
  readonly table: string;
  /** Stable words, the same for every table: `select by key`, `update blind`. */
  readonly attack: string;
  readonly operation: Operation;
  readonly path: Path;
  /** What was sent, with its values; never a secret. */
  readonly statement: string;
  /** What came back, shortened. */
  readonly answer: string;
  readonly outcome: 'held' | 'leaked' | 'not applicable';
  /** Where it leaked: a sentence that names whose row was seen or changed, and how that is known. */
  readonly evidence?: string;
}

/** `text`, cut where it is longer than a reader wants. */
export function shorten(text: string, length = 300): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
