import pg from 'pg';
import { serialize } from 'pg-protocol';
import { isUnreplicated } from './commitWait.ts';
import { isStale, type Prepared, PreparedStatements } from './prepared.ts';
import { type Column, columnsOf, type Field, ResultReader } from './result.ts';
import { type Meter, type Result, type Statement, sentText } from './statement.ts';

/** What is used of node-postgres' Connection and utils: what pg-cursor uses too, without published types. */
export interface Wire {
  readonly stream: {
    readonly destroyed: boolean;
    write(message: Buffer): void;
    destroy(): void;
    on(event: 'data', listener: (chunk: Buffer) => void): void;
    off(event: 'data', listener: (chunk: Buffer) => void): void;
  };
  on(event: 'readyForQuery' | 'end', listener: () => void): this;
  off(event: 'readyForQuery' | 'end', listener: () => void): this;
}
const { utils } = pg as unknown as { utils: { prepareValue(value: unknown): Buffer | string | null } };

const describePortal = serialize.describe({ type: 'P' });
const execute = serialize.execute();
const sync = serialize.sync();

/**
 * Several statements between two Syncs of the extended protocol: one implicit transaction, one write, one read. They
 * stand or fall together: when one fails, none has happened, and those behind it have not run.
 *
 * Driven by the client through node-postgres' Submittable interface, as pg-cursor and pg-query-stream are.
 */
export class Batch {
  /** Answers once the server has finished and the connection's state is known; rejects with what went wrong first. */
  readonly done: Promise<Result<unknown>[]>;
  /** Called ahead of the answer, once the server has ended the transaction, or with what ended the connection. */
  ended: (fault?: Error) => void = () => {};

  readonly #statements: readonly Statement[];
  #prepare: boolean;
  readonly #results: Result<unknown>[] = [];
  /** What the connection keeps of each statement; undefined where it is not kept. */
  readonly #prepared: (Prepared | undefined)[] = [];
  readonly #settle: { resolve(results: Result<unknown>[]): void; reject(error: Error): void };
  /** Names that it prepares. */
  #parsed: readonly string[] = [];
  #rowError: Error | undefined;
  #confirmed = false;
  /** Of the connection that it was made for. */
  #wire: Wire | undefined;
  #current: ResultReader | undefined;
  /** Counts the rows of all statements: they are one request's. */
  readonly #meter: Meter | undefined;
  /** Bytes of rows that were counted. */
  #read = 0;
  /** Stops counting what comes on the connection. */
  #stopCounting = () => {};

  /** @param prepare whether named statements are prepared on the connection; off for poolers that do not track them. */
  constructor(statements: readonly Statement[], prepare: boolean) {
    this.#statements = statements;
    this.#prepare = prepare;
    this.#meter = statements.find(({ meter }) => meter)?.meter;
    const { promise, resolve, reject } = Promise.withResolvers<Result<unknown>[]>();
    this.done = promise;
    this.#settle = { resolve, reject };
  }

  /** Sends named statements without preparing them. */
  doNotPrepare(): void {
    this.#prepare = false;
  }

  /** What there is to send, unless it was handed out before. */
  submit(wire: Wire): Error | null {
    this.#countOn(wire);
    if (this.#wire) return null;
    const messages: Buffer[] = [];
    try {
      this.encode(wire, messages);
    } catch (error) {
      return error as Error;
    }
    // One buffer, one write: a system call costs more than the copy.
    wire.stream.write(Buffer.concat(messages));
    return null;
  }

  /**
   * Adds the messages for `wire`, which have to be sent before anything else is.
   *
   * @returns whether what the connection keeps prepared stays as it is, whatever becomes of the batch.
   * @throws where a value cannot be sent; then nothing was added.
   */
  encode(wire: Wire, messages: Buffer[]): boolean {
    // Values are made ready before the first message: a value that cannot be sent must not leave half a batch.
    const values = this.#statements.map(({ values = [] }) => values.map(utils.prepareValue));
    this.#wire = wire;
    const before = messages.length;
    const prepared = this.#prepare ? PreparedStatements.of(wire) : undefined;
    const toParse = prepared?.keep(this.#statements, messages);
    this.#parsed = [...(toParse ?? [])];
    const keeps = toParse?.size === 0 && messages.length === before;
    for (const [index, asked] of this.#statements.entries()) {
      const { name = '', discard } = asked;
      const statement = prepared ? name : '';
      if (statement === '' || toParse?.delete(statement))
        messages.push(serialize.parse({ name: statement, text: sentText(asked) }));
      messages.push(serialize.bind({ statement, values: values[index] ?? [] }));
      const known = prepared?.get(statement);
      this.#prepared.push(known);
      if (!discard && !known?.columns) messages.push(describePortal);
      messages.push(execute);
    }
    messages.push(sync);
    return keeps;
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    const columns = columnsOf(fields);
    this.#current = this.#reader(columns);
    const prepared = this.#prepared[this.#results.length];
    if (prepared) prepared.columns = columns;
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    if (this.#rowError) return;
    const { discard, expectedUserId } = this.#statements[this.#results.length] ?? {};
    if (expectedUserId !== undefined && fields[1] === expectedUserId) this.#confirmed = true;
    if (discard) return;
    try {
      if (this.#meter) this.#count(fields);
      this.#current ??= this.#reader(this.#prepared[this.#results.length]?.columns);
      this.#current.add(fields);
    } catch (error) {
      this.#rowError = error as Error;
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    const { expectedUserId } = this.#statements[this.#results.length] ?? {};
    if (expectedUserId !== undefined && !(this.#confirmed && text === 'SELECT 1'))
      this.#close('the answer is for somebody else');
    this.#confirmed = false;
    this.#results.push((this.#current ?? this.#reader()).complete(text));
    this.#current = undefined;
  }

  handleEmptyQuery(): void {
    this.#results.push(this.#reader());
  }

  /** Answers a failed statement only once the server has rolled back, so that the connection's state is known. */
  handleError(error: Error, wire: Wire): void {
    // From the failed statement on, the server may or may not have got to preparing.
    const stale = isStale(error);
    if (stale) PreparedStatements.of(wire).becameStale();
    for (const { name } of this.#statements.slice(this.#results.length)) {
      if (name && (stale || this.#parsed.includes(name))) PreparedStatements.of(wire).doubt(name);
    }
    // Not its severity, which is in the server's language: behind what ends the connection, its end comes.
    if (!(error instanceof pg.DatabaseError)) {
      this.fail(error);
      return;
    }
    this.#stopCounting();
    const rolledBack = () => {
      stop();
      this.ended();
      this.#reject(error);
    };
    const gone = () => {
      stop();
      this.ended(new Error('Connection terminated'));
      this.#reject(error);
    };
    const stop = () => {
      wire.off('readyForQuery', rolledBack);
      wire.off('end', gone);
    };
    wire.on('readyForQuery', rolledBack).on('end', gone);
  }

  /** Ends it with what ended the connection. */
  fail(fault: Error): void {
    this.#stopCounting();
    this.ended(fault);
    this.#reject(this.#rowError ?? fault);
  }

  handleReadyForQuery(wire: Wire): void {
    if (isUnreplicated(wire))
      this.#rowError ??= new Error('Connection terminated: the standby may not have the commit');
    this.#stopCounting();
    this.ended();
    if (this.#rowError) this.#reject(this.#rowError);
    else this.#settle.resolve(this.#results);
  }

  /** COPY takes the Sync that was sent behind it for its own: nothing else gets the connection out of it. */
  handleCopyInResponse(): void {
    this.#close('COPY is not spoken here');
  }

  handleCopyData(): void {}
  handlePortalSuspended(): void {}

  /** Nothing that comes on this connection from now on is anybody's. */
  #close(reason: string): void {
    this.#rowError = new Error(`${reason}: the connection was closed`);
    this.#wire?.stream.destroy();
  }

  /** @throws what the meter says of a row that is too much. */
  #count(values: readonly (string | null)[]): void {
    const bytes = values.reduce((sum, value) => sum + (value === null ? 0 : Buffer.byteLength(value)), 0);
    this.#read += bytes;
    this.#meter?.add(bytes);
  }

  /** Closes the connection where one answer becomes too large: of a row, nothing is known before all of it has come. */
  #countOn({ stream }: Wire): void {
    const meter = this.#meter;
    if (!meter) return;
    let received = 0;
    const count = ({ length }: Buffer) => {
      received += length;
      if (received <= meter.mostOnWire) return;
      this.#stopCounting();
      this.#rowError ??= meter.refusal();
      stream.destroy();
    };
    stream.on('data', count);
    this.#stopCounting = () => stream.off('data', count);
  }

  #reject(error: Error): void {
    this.#meter?.add(-this.#read);
    this.#settle.reject(error);
  }

  #reader(columns: readonly Column[] = []): ResultReader {
    return new ResultReader(columns, this.#statements[this.#results.length]?.rowMode === 'array');
  }
}
