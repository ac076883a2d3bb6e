import type { Logger } from 'pino';
import { connectionFault } from './connectionErrors.ts';

/** Milliseconds between two log lines with the same cause. All waiting requests report the same fault. */
const interval = 10_000;

/** Logs why the database cannot be used and what to do about it, once in ten seconds for each cause. */
export class FaultLog {
  readonly #log: Logger;
  readonly #detailsOf: (cause: string) => Promise<object> | undefined;
  /** Time of the last log line by cause, in milliseconds of `performance.now()`. */
  readonly #reported = new Map<string, number>();

  /** @param detailsOf looks up more fields of the log line for a cause; undefined if there are none. */
  constructor(log: Logger, detailsOf: (cause: string) => Promise<object> | undefined) {
    this.#log = log;
    this.#detailsOf = detailsOf;
  }

  /** Logs the fault of `error`, unless the same cause was logged in the last ten seconds. */
  report(error: unknown): void {
    const { cause, advice } = connectionFault(error) ?? { cause: 'unknown', advice: '' };
    const now = performance.now();
    if (now - (this.#reported.get(cause) ?? Number.NEGATIVE_INFINITY) < interval) return;
    this.#reported.set(cause, now);
    const write = (details: object | undefined) =>
      this.#log.warn({ err: error, cause, advice, ...details }, 'the database cannot be used');
    const lookup = this.#detailsOf(cause);
    if (lookup) lookup.then(write, () => write(undefined));
    else write(undefined);
  }
}
