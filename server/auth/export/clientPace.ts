import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { CancelledError } from '../../../postgres/cancellation.ts';

interface Pace {
  /** The longest wait of one write, in milliseconds. */
  readonly perWrite: number;
  /** The longest wait of all writes together, in milliseconds. `rate` adds to it. */
  readonly total: number;
  /** The slowest rate that adds no wait, in characters per millisecond. */
  readonly rate: number;
}

/** 10 s for one write; 20 s for all writes, and one more second for each 256,000 characters. */
const defaults: Pace = { perWrite: 10_000, total: 20_000, rate: 256 };

/**
 * Limits how long an export waits for its client, because the export's transaction holds one of the few connections for
 * exports. It keeps the total wait and the number of written characters. A limit for each write is not enough: a client
 * that reads a chunk just before each limit would hold the connection for minutes.
 */
export class ClientPace {
  readonly #pace: Pace;
  #waited = 0;
  #written = 0;

  constructor(pace: Pace = defaults) {
    this.#pace = pace;
  }

  /**
   * Writes `text`, and waits until `output` accepts more.
   *
   * @throws CancelledError `client gone` when the client reads too slowly; also any error of `output`.
   */
  async write(output: Writable, text: string): Promise<void> {
    this.#written += text.length;
    if (output.write(text)) return;
    const { perWrite, total, rate } = this.#pace;
    const left = total + this.#written / rate - this.#waited;
    const start = performance.now();
    const signal = AbortSignal.timeout(Math.max(0, Math.floor(Math.min(perWrite, left))));
    try {
      await once(output, 'drain', { signal });
    } catch (error) {
      throw signal.aborted ? new CancelledError('client gone') : error;
    } finally {
      this.#waited += performance.now() - start;
    }
  }
}
