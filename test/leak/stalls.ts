import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from '../support/database.ts';

const interval = 20;

/** Longer than this, in milliseconds, nothing of ours takes. */
const tolerable = 150;

/**
 * Notices when the machine stood still for us, the event loop or Postgres: a time-out that a request got then was the
 * machine's and not the server's.
 */
export class Stalls {
  longest = 0;
  readonly #stalls: { readonly from: number; readonly to: number }[] = [];
  /** Since when the event loop and Postgres have not been heard of. */
  readonly #waiting = { loop: performance.now(), postgres: Number.POSITIVE_INFINITY };
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(db: TestDatabase) {
    this.#timer = setInterval(() => {
      this.#heard(this.#waiting.loop + interval);
      this.#waiting.loop = performance.now();
    }, interval).unref();
    void this.#askPostgres(db);
  }

  /** Whether there was one since `start`, or there is one now. */
  since(start: number): boolean {
    const waited = performance.now() - Math.min(this.#waiting.loop, this.#waiting.postgres);
    return waited > tolerable || this.#stalls.some(({ to }) => to > start);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #askPostgres(db: TestDatabase): Promise<void> {
    while (!this.#stopped) {
      this.#waiting.postgres = performance.now();
      // One that is away on purpose is the weather's.
      await db.asAdmin('select 1').then(
        () => this.#heard(this.#waiting.postgres),
        () => {},
      );
      this.#waiting.postgres = Number.POSITIVE_INFINITY;
      await sleep(interval);
    }
  }

  #heard(from: number): void {
    const to = performance.now();
    this.longest = Math.max(this.longest, to - from);
    if (to - from > tolerable) this.#stalls.push({ from, to });
  }
}
