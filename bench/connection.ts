import { connect, type Socket } from 'node:net';

/** Events of a connection, for the load generator. */
export interface ConnectionEvents {
  open(connection: Connection): void;
  /** @param fault the problem of the answer, if it has one. */
  answered(connection: Connection, milliseconds: number, fault: string | undefined): void;
  failed(message: string): void;
}

/** A keep-alive connection with one HTTP/1.1 request at a time. */
export class Connection {
  readonly #socket: Socket;
  #sent = 0;
  #answer: Buffer | undefined;

  constructor(port: number, events: ConnectionEvents) {
    this.#socket = connect(port, '127.0.0.1')
      .setNoDelay(true)
      .on('connect', () => events.open(this))
      .on('error', (error) => events.failed(error.message))
      .on('end', () => events.failed('the server closed a connection'))
      .on('data', (chunk) => {
        this.#answer = this.#answer ? Buffer.concat([this.#answer, chunk]) : chunk;
        const framed = frame(this.#answer);
        if (!framed || this.#answer.length < framed.end) return;
        const milliseconds = performance.now() - this.#sent;
        const wrong = fault(this.#answer, framed.body);
        this.#answer = undefined;
        events.answered(this, milliseconds, wrong);
      });
  }

  send(request: Buffer): void {
    this.#sent = performance.now();
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Finds the start and the end of the body; undefined while the head is incomplete. */
function frame(answer: Buffer): { body: number; end: number } | undefined {
  const head = answer.indexOf('\r\n\r\n');
  if (head < 0) return undefined;
  const body = head + 4;
  const text = answer.toString('latin1', 0, head);
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  if (length !== undefined) return { body, end: body + Number(length) };
  const last = answer.length - 5;
  // Only one request is in flight, so nothing follows the last chunk.
  const ended = /\r\ntransfer-encoding: *chunked/i.test(text) && answer.indexOf('0\r\n\r\n', last) === last;
  return { body, end: ended ? answer.length : Number.POSITIVE_INFINITY };
}

function fault(answer: Buffer, body: number): string | undefined {
  const status = answer.toString('latin1', 9, 12);
  if (status[0] === '2' && !answer.includes('"errors":', body)) return undefined;
  return `${status}: ${answer.toString('utf8', body, body + 300)}`;
}
