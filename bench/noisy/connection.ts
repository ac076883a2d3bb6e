import { connect, type Socket } from 'node:net';

interface Answer {
  /** `ok`, an HTTP status, or a GraphQL error code. */
  readonly kind: string;
  readonly bytes: number;
  /** The beginning of the answer's body. */
  readonly beginning: string;
}

export interface ConnectionEvents {
  open(connection: Connection): void;
  answered(connection: Connection, answer: Answer): void;
  /** The connection has ended, possibly in the middle of an answer. */
  closed(connection: Connection): void;
}

/** Bytes to keep of the beginning and of the end of an answer. Error codes are in one of the two. */
const kept = 1000;
const endOfHead = Buffer.from('\r\n\r\n');
const endOfChunks = '0\r\n\r\n';

/**
 * A keep-alive connection with one HTTP/1.1 request at a time. It counts the bytes of an answer and keeps only its
 * beginning and end, so that answers of hundreds of megabytes cost little.
 *
 * States: connecting, idle, reading the head, reading the body, closed.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  #head: Buffer | undefined;
  #status = '';
  /** Remaining bytes of the body; undefined if the body is chunked. */
  #left: number | undefined;
  #isInBody = false;
  #bytes = 0;
  #beginning = '';
  #end = '';

  constructor(port: number, events: ConnectionEvents) {
    this.#events = events;
    this.#socket = connect(port, '127.0.0.1')
      .setNoDelay(true)
      .on('connect', () => events.open(this))
      .on('error', () => {})
      .on('close', () => events.closed(this))
      .on('data', (chunk) => this.#read(chunk));
  }

  send(request: Buffer): void {
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    let body = chunk;
    if (!this.#isInBody) {
      const all = this.#head ? Buffer.concat([this.#head, chunk]) : chunk;
      const end = all.indexOf(endOfHead);
      if (end < 0) {
        this.#head = all;
        return;
      }
      this.#startBody(all.toString('latin1', 0, end));
      body = all.subarray(end + endOfHead.length);
    }
    this.#bytes += body.length;
    if (this.#beginning.length < kept) this.#beginning += body.toString('latin1', 0, kept - this.#beginning.length);
    this.#end = (body.length < kept ? this.#end : '') + body.toString('latin1', Math.max(0, body.length - kept));
    this.#end = this.#end.slice(-kept);
    if (this.#left !== undefined) this.#left -= body.length;
    // Only one request is in flight, so nothing follows the last chunk of an answer.
    const isComplete = this.#left === undefined ? this.#end.endsWith(endOfChunks) : this.#left <= 0;
    if (isComplete) this.#finish();
  }

  #startBody(head: string): void {
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    this.#head = undefined;
    this.#status = head.slice(9, 12);
    this.#left = length === undefined ? undefined : Number(length);
    if (length === undefined && !/\r\ntransfer-encoding: *chunked/i.test(head)) this.#left = 0;
    this.#isInBody = true;
    this.#bytes = 0;
    this.#beginning = '';
    this.#end = '';
  }

  #finish(): void {
    this.#isInBody = false;
    const { beginning, kind } = { beginning: this.#beginning, kind: this.#kind() };
    this.#events.answered(this, { kind, bytes: this.#bytes, beginning });
  }

  #kind(): string {
    const errors = [this.#beginning, this.#end].find((text) => text.includes('"errors":'));
    const code = errors && /"code":"([A-Z_]+)"/.exec(errors)?.[1];
    if (code === 'TOO_COMPLEX') return code;
    if (this.#status[0] !== '2') return this.#status;
    return errors ? (code ?? 'errors') : 'ok';
  }
}
