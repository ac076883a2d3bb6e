import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { CancelledError } from '../../../postgres/cancellation.ts';

interface Pace {
  /** Milliseconds that one write may wait. */
  readonly atOnce: number;
  /** Milliseconds that all writes may wait together, beyond what the rate allows. */
  readonly altogether: number;
  /** Characters in a millisecond. */
  readonly rate: number;
}

/** 10 s for one write; 20 s together, and a second more for each 256,000 characters. */
const defaults: Pace = { atOnce: 10_000, altogether: 20_000, rate: 256 };

/**
 * Bounds how long an export waits for its client: its transaction holds one of the few connections for exports meanwhile. A
 * bound for each write alone lets a client hold it for minutes, by taking a chunk just before each bound.
 */
export class ClientPace {
  readonly #pace: Pace;
  #waited = 0;
  #written = 0;

  constructor(pace: Pace = defaults) {
    this.#pace = pace;
  }

  /**
   * Writes `text`, and waits until `output` takes more.
   *
   * @throws CancelledError `client gone` when the client reads too slowly; whatever `output` reports.
   */
  async write(output: Writable, text: string): Promise<void> {
    this.#written += text.length;
    if (output.write(text)) return;
    const { atOnce, altogether, rate } = this.#pace;
    const left = altogether + this.#written / rate - this.#waited;
    const start = performance.now();
    const signal = AbortSignal.timeout(Math.max(0, Math.floor(Math.min(atOnce, left))));
    try {
      await once(output, 'drain', { signal });
    } catch (error) {
      throw signal.aborted ? new CancelledError('client gone') : error;
    } finally {
      this.#waited += performance.now() - start;
    }
  }
}
