import type { ConnectionFault } from './connectionErrors.ts';

/** Milliseconds without a connection after which the database may have been suspended: serverless ones wait longer. */
const mayBeAsleepAfter = 60_000;

/**
 * How long a request goes on trying to connect.
 *
 * - _in use_: connections came about within the last minute. Every fault that may pass is retried for the short time.
 * - _maybe asleep_: none did for a minute, or ever. A serverless database that wakes up accepts the connection and stays
 *   silent, sometimes for longer than one attempt lasts. Attempts without an answer are then retried for the long time.
 * - _silent_: the long time was used up once, in vain. Until a connection comes about, the short time holds again.
 */
export class Patience {
  readonly #short: number;
  readonly #long: number;
  #lastUse = Number.NEGATIVE_INFINITY;
  /** Until when the database may be waking up; undefined before the first attempt without an answer. */
  #wakingUntil: number | undefined;

  /** @param short milliseconds; 0 for no retries at all. @param long milliseconds. */
  constructor(short: number, long: number) {
    this.#short = short;
    this.#long = long;
  }

  connected(): void {
    this.#lastUse = performance.now();
    this.#wakingUntil = undefined;
  }

  /** Whether a request that has tried since `start`, in milliseconds of `performance.now()`, goes on after `fault`. */
  goesOn(fault: ConnectionFault, start: number): boolean {
    const now = performance.now();
    if (now - start < this.#short) return true;
    if (!fault.silent || this.#short === 0 || now - this.#lastUse < mayBeAsleepAfter) return false;
    this.#wakingUntil ??= start + this.#long;
    return now < this.#wakingUntil;
  }
}
