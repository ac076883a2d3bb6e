import { Connection, type ConnectionEvents } from './connection.ts';
import type { Job, JobResult } from './job.ts';
import { sourceOf } from './source.ts';

/** Milliseconds without an answer that count as a fault: the deadline of Hedgerow's requests. */
const longWait = 10_000;
/** Milliseconds before a closed connection is opened again. */
const reconnectAfter = 100;

interface Request {
  readonly size: number;
  readonly sent: number;
}

/**
 * Sends the requests of one job until `stop`. Each connection is connecting, waiting for an answer, or closed. An
 * answer starts its next request; a closed connection is replaced after a pause.
 */
export class Flood {
  readonly #job: Job;
  readonly #source;
  readonly #underWay = new Map<Connection, Request>();
  readonly #all = new Set<Connection>();
  readonly #latencies: number[] = [];
  readonly #answers: Record<string, number> = {};
  readonly #samples: Record<string, string> = {};
  #bytes = 0;
  #isStopped = false;

  constructor(job: Job) {
    this.#job = job;
    this.#source = sourceOf(job.source);
    for (let index = 0; index < job.connections; index++) this.#connect();
  }

  /** Number of answers of one kind so far. */
  count(kind: string): number {
    return this.#answers[kind] ?? 0;
  }

  stop(): JobResult {
    this.#isStopped = true;
    for (const { sent } of this.#underWay.values()) {
      this.#latencies.push(performance.now() - sent);
      // Some requests are always in flight at the end of a job; only a long wait is a fault.
      if (performance.now() - sent > longWait) this.#count('no answer', '');
    }
    for (const connection of this.#all) connection.close();
    return {
      latencies: Float64Array.from(this.#latencies).sort(),
      answers: this.#answers,
      bytes: this.#bytes,
      size: this.#source.size,
      samples: this.#samples,
    };
  }

  #connect(): void {
    const events: ConnectionEvents = {
      open: (connection) => this.#send(connection),
      answered: (connection, { kind, bytes, beginning }) => {
        const request = this.#underWay.get(connection);
        if (!request || this.#isStopped) return;
        this.#underWay.delete(connection);
        this.#latencies.push(performance.now() - request.sent);
        this.#bytes += bytes;
        this.#count(kind, beginning);
        this.#source.answered(request.size, kind);
        this.#send(connection);
      },
      closed: (connection) => {
        this.#all.delete(connection);
        if (this.#isStopped) return;
        const request = this.#underWay.get(connection);
        if (request) this.#latencies.push(performance.now() - request.sent);
        // An open connection always has a request in flight.
        this.#count(request ? 'closed' : 'no connection', '');
        this.#underWay.delete(connection);
        setTimeout(() => !this.#isStopped && this.#connect(), reconnectAfter);
      },
    };
    this.#all.add(new Connection(this.#job.port, events));
  }

  #send(connection: Connection): void {
    if (this.#isStopped) return;
    const { bytes, size } = this.#source.next();
    this.#underWay.set(connection, { size, sent: performance.now() });
    connection.send(bytes);
  }

  #count(kind: string, beginning: string): void {
    this.#answers[kind] = (this.#answers[kind] ?? 0) + 1;
    if (kind !== 'ok') this.#samples[kind] ??= beginning.slice(0, 300);
  }
}
