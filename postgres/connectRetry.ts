import type { ConnectionFault } from './connectionErrors.ts';

/** Milliseconds without a connection after which a serverless database may have been suspended. */
const maybeSuspendedAfter = 60_000;

/**
 * Decides how long a request keeps trying to connect.
 *
 * - _in use_: a connection was established within the last minute. Every temporary fault is retried for the short time.
 * - _maybe suspended_: none was established for a minute, or ever. A serverless database that wakes up accepts the
 *   connection and stays silent, sometimes for longer than one attempt lasts. Attempts without an answer are retried for the
 *   long time.
 * - _silent_: the long time passed once without a connection. The short time applies until one is established.
 */
export class ConnectRetry {
  readonly #short: number;
  readonly #long: number;
  #lastUse = Number.NEGATIVE_INFINITY;
  /** End of the long time; undefined before the first attempt without an answer. */
  #wakingUntil: number | undefined;

  /** @param short milliseconds; 0 disables retries. @param long milliseconds. */
  constructor(short: number, long: number) {
    this.#short = short;
    this.#long = long;
  }

  connected(): void {
    this.#lastUse = performance.now();
    this.#wakingUntil = undefined;
  }

  /** Whether a request that has tried since `start` tries again after `fault`. `start` is a value of `performance.now()`. */
  shouldRetry(fault: ConnectionFault, start: number): boolean {
    const now = performance.now();
    if (now - start < this.#short) return true;
    if (!fault.silent || this.#short === 0 || now - this.#lastUse < maybeSuspendedAfter) return false;
    this.#wakingUntil ??= start + this.#long;
    return now < this.#wakingUntil;
  }
}
