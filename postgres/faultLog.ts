import type { Logger } from 'pino';
import { connectionFault } from './connectionErrors.ts';

/** Milliseconds for which a fault of the same cause is not logged again: every waiting request has the same news. */
const quiet = 10_000;

/** Logs why the database cannot be used and what to do about it, once in ten seconds for each cause. */
export class FaultLog {
  readonly #log: Logger;
  readonly #look: (cause: string) => Promise<object> | undefined;
  /** When each cause was logged last, in milliseconds of the clock without a date. */
  readonly #reported = new Map<string, number>();

  /** @param look finds out more about a cause, for the log's line; undefined where there is nothing to find out. */
  constructor(log: Logger, look: (cause: string) => Promise<object> | undefined) {
    this.#log = log;
    this.#look = look;
  }

  report(error: unknown): void {
    const { cause, advice } = connectionFault(error) ?? { cause: 'unknown', advice: '' };
    const now = performance.now();
    if (now - (this.#reported.get(cause) ?? Number.NEGATIVE_INFINITY) < quiet) return;
    this.#reported.set(cause, now);
    const write = (more: object | undefined) =>
      this.#log.warn({ err: error, cause, advice, ...more }, 'the database cannot be used');
    const looking = this.#look(cause);
    if (looking) looking.then(write, () => write(undefined));
    else write(undefined);
  }
}
