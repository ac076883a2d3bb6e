import pg from 'pg';
import type { Statement } from './statement.ts';

/** What is used of node-postgres' Connection beside its published types. */
interface Wire {
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
  parse(message: { name: string; text: string }): void;
  bind(message: { statement: string; values: readonly unknown[] }): void;
  execute(message: object): void;
  once(event: 'readyForQuery' | 'end', listener: () => void): void;
}

type Callback = (error: Error | null | undefined, result: pg.QueryArrayResult & pg.QueryResult) => void;

// @types/pg publishes only the emitter side of Query, not the side that the client drives.
declare class DrivenQuery {
  constructor(config: object);
  callback: Callback;
  get name(): string | undefined;
  set name(value: string | undefined);
  get text(): string;
  set text(value: string);
  submit(wire: Wire): Error | null;
  prepare(wire: Wire): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, wire: Wire): void;
  handleError(error: Error, wire: Wire): void;
}

/**
 * Two statements between two Syncs of the extended protocol: one implicit transaction, one write, one read. When the
 * first fails the second does not run. The first one's rows are dropped, the second one's are the result.
 *
 * The client drives it through node-postgres' Submittable interface, as it drives pg-cursor and pg-query-stream.
 */
export class PrecededQuery extends (pg.Query as unknown as typeof DrivenQuery) {
  readonly #first: Statement;
  readonly #second: Statement;
  #current: Statement;

  constructor(first: Statement, second: Statement, callback: Callback) {
    super({ ...second, queryMode: 'extended' });
    this.#first = first;
    this.#second = second;
    this.#current = first;
    this.callback = callback;
  }

  // By name and text the client notes which statement this connection has parsed: those of the one under way.
  override get name(): string | undefined {
    return this.#current.name;
  }
  override set name(_: string | undefined) {}
  override get text(): string {
    return this.#current.text;
  }
  override set text(_: string) {}

  override prepare(wire: Wire): void {
    const { name = '', text, values = [] } = this.#first;
    if (name === '' || wire.parsedStatements[name] === undefined) wire.parse({ name, text });
    wire.bind({ statement: name, values });
    wire.execute({});
    this.#current = this.#second;
    super.prepare(wire);
    this.#current = this.#first;
  }

  override handleDataRow(message: unknown): void {
    if (this.#current === this.#second) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, wire: Wire): void {
    if (this.#current === this.#second) super.handleCommandComplete(message, wire);
    else this.#current = this.#second;
  }

  /** Answers a failed statement only once the server has rolled it back, so that the connection's state is known. */
  override handleError(error: Error, wire: Wire): void {
    if (this.#current === this.#first) delete wire.submittedNamedStatements[this.#second.name ?? ''];
    let answered = false;
    const answer = () => {
      if (!answered) super.handleError(error, wire);
      answered = true;
    };
    const recovers = error instanceof pg.DatabaseError && error.severity === 'ERROR';
    if (!recovers) answer();
    else wire.once('readyForQuery', answer);
    wire.once('end', answer);
  }
}
