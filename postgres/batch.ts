import pg from 'pg';
import { isUnreplicated } from './commitWait.ts';
import { type ProtocolConnection, prepareValue, serialize } from './internals/nodePostgres.ts';
import { isStale, type Prepared, PreparedStatements } from './prepared.ts';
import { type Column, columnsOf, type Field, ResultReader } from './result.ts';
import { type Meter, type Result, type Statement, sentText } from './statement.ts';

const describePortal = serialize.describe({ type: 'P' });
const execute = serialize.execute();
const sync = serialize.sync();

/**
 * Several statements between two Syncs of the extended protocol: one implicit transaction, one write, one read. If one
 * statement fails, Postgres rolls back those before it and skips those after it.
 *
 * A batch goes through these states:
 *
 * - _new_: `submit` or `encode` produces its messages, once.
 * - _sent_: the client passes it the messages of the server (`handle…`).
 * - _failed_: a statement failed. The batch waits for ReadyForQuery, so that the rollback is complete, and then rejects.
 * - _ended_: `ended` is called, and then `done` settles.
 *
 * The client drives a batch through node-postgres' Submittable interface, as it drives pg-cursor and pg-query-stream.
 */
export class Batch {
  /** Settles once the server has finished and the connection's state is known. Rejects with the first error. */
  readonly done: Promise<Result<unknown>[]>;
  /** Called before `done` settles, when the server has ended the transaction. `fault` is what ended the connection. */
  ended: (fault?: Error) => void = () => {};

  readonly #statements: readonly Statement[];
  #prepare: boolean;
  readonly #results: Result<unknown>[] = [];
  /** The prepared statement of each statement; undefined for one that the connection does not keep. */
  readonly #prepared: (Prepared | undefined)[] = [];
  readonly #settle: { resolve(results: Result<unknown>[]): void; reject(error: Error): void };
  /** Names of statements that this batch prepares. */
  #parsed: readonly string[] = [];
  #rowError: Error | undefined;
  /** Whether the current result has a row with the expected user id. */
  #hasExpectedUser = false;
  /** The connection that the messages were encoded for; undefined before. */
  #connection: ProtocolConnection | undefined;
  #current: ResultReader | undefined;
  /** Counts the rows of all statements, because they belong to one request. */
  readonly #meter: Meter | undefined;
  /** Bytes of rows that the meter has counted. */
  #countedBytes = 0;
  /** Stops counting the bytes that arrive on the connection. */
  #stopCounting = () => {};

  /** @param prepare whether to prepare named statements on the connection; false for poolers that do not track them. */
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

  /** Sends the messages, unless `encode` has already returned them. Node-postgres calls this. */
  submit(connection: ProtocolConnection): Error | null {
    this.#countBytesOn(connection);
    if (this.#connection) return null;
    const messages: Buffer[] = [];
    try {
      this.encode(connection, messages);
    } catch (error) {
      return error as Error;
    }
    // One buffer, one write: a system call costs more than the copy.
    connection.stream.write(Buffer.concat(messages));
    return null;
  }

  /**
   * Appends the messages for `connection`. The caller sends them before anything else on that connection.
   *
   * @returns whether the prepared statements of the connection stay the same, even if the batch fails.
   * @throws if a value cannot be encoded; `messages` is then unchanged.
   */
  encode(connection: ProtocolConnection, messages: Buffer[]): boolean {
    // Encode all values before the first message: a value that cannot be encoded must not leave half a batch.
    const values = this.#statements.map(({ values = [] }) => values.map(prepareValue));
    this.#connection = connection;
    const before = messages.length;
    const prepared = this.#prepare ? PreparedStatements.of(connection) : undefined;
    const toParse = prepared?.keep(this.#statements, messages);
    this.#parsed = [...(toParse ?? [])];
    const keeps = toParse?.size === 0 && messages.length === before;
    for (const [index, statement] of this.#statements.entries()) {
      const { name: givenName = '', discard } = statement;
      const name = prepared ? givenName : '';
      if (name === '' || toParse?.delete(name)) messages.push(serialize.parse({ name, text: sentText(statement) }));
      messages.push(serialize.bind({ statement: name, values: values[index] ?? [] }));
      const known = prepared?.get(name);
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
    if (expectedUserId !== undefined && fields[1] === expectedUserId) this.#hasExpectedUser = true;
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
    if (expectedUserId !== undefined && !(this.#hasExpectedUser && text === 'SELECT 1'))
      this.#close('an answer has another identity');
    this.#hasExpectedUser = false;
    this.#results.push((this.#current ?? this.#reader()).complete(text));
    this.#current = undefined;
  }

  handleEmptyQuery(): void {
    this.#results.push(this.#reader());
  }

  /** Rejects only once the server has rolled back, so that the connection's state is known. */
  handleError(error: Error, connection: ProtocolConnection): void {
    // From the failed statement on, it is unknown which statements the server has prepared.
    const stale = isStale(error);
    if (stale) PreparedStatements.of(connection).markAllStale();
    for (const { name } of this.#statements.slice(this.#results.length)) {
      if (name && (stale || this.#parsed.includes(name))) PreparedStatements.of(connection).forget(name);
    }
    // The severity is no criterion: it is in the server's language. An error that ends the connection is followed by `end`.
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
    const disconnected = () => {
      stop();
      this.ended(new Error('Connection terminated'));
      this.#reject(error);
    };
    const stop = () => {
      connection.off('readyForQuery', rolledBack);
      connection.off('end', disconnected);
    };
    connection.on('readyForQuery', rolledBack).on('end', disconnected);
  }

  /** Fails the batch with the error that ended its connection. */
  fail(fault: Error): void {
    this.#stopCounting();
    this.ended(fault);
    this.#reject(this.#rowError ?? fault);
  }

  handleReadyForQuery(connection: ProtocolConnection): void {
    if (isUnreplicated(connection))
      this.#rowError ??= new Error('Connection terminated: the standby may not have the commit');
    this.#stopCounting();
    this.ended();
    if (this.#rowError) this.#reject(this.#rowError);
    else this.#settle.resolve(this.#results);
  }

  /** COPY ignores the Sync that was sent after it, so only closing the connection ends it. */
  handleCopyInResponse(): void {
    this.#close('COPY is not supported here');
  }

  handleCopyData(): void {}
  handlePortalSuspended(): void {}

  /** Closes the connection, so that no later answer on it reaches a request. */
  #close(reason: string): void {
    this.#rowError = new Error(`${reason}: the connection was closed`);
    this.#connection?.stream.destroy();
  }

  /** @throws the error of the meter for a row that exceeds its limit. */
  #count(values: readonly (string | null)[]): void {
    const bytes = values.reduce((sum, value) => sum + (value === null ? 0 : Buffer.byteLength(value)), 0);
    this.#countedBytes += bytes;
    this.#meter?.add(bytes);
  }

  /** Closes the connection when an answer becomes too large. Nothing of a row is known before all of it has arrived. */
  #countBytesOn({ stream }: ProtocolConnection): void {
    const meter = this.#meter;
    if (!meter) return;
    let received = 0;
    const count = ({ length }: Buffer) => {
      received += length;
      if (received <= meter.maxAnswerBytes) return;
      this.#stopCounting();
      this.#rowError ??= meter.refusal();
      stream.destroy();
    };
    stream.on('data', count);
    this.#stopCounting = () => stream.off('data', count);
  }

  #reject(error: Error): void {
    this.#meter?.add(-this.#countedBytes);
    this.#settle.reject(error);
  }

  #reader(columns: readonly Column[] = []): ResultReader {
    return new ResultReader(columns, this.#statements[this.#results.length]?.rowMode === 'array');
  }
}
