import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from '../support/database.ts';

const intervalMs = 20;

/** Longer than this, in milliseconds, nothing of ours takes. */
const thresholdMs = 150;

/**
 * Notices when the machine stood still for us, the event loop or Postgres: a time-out that a request got then was the
 * machine's and not the server's.
 */
export class StallDetector {
  longest = 0;
  readonly #stalls: { readonly from: number; readonly to: number }[] = [];
  /** Since when the event loop and Postgres have not been heard of. */
  readonly #pendingSince = { loop: performance.now(), postgres: Number.POSITIVE_INFINITY };
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(db: TestDatabase) {
    this.#timer = setInterval(() => {
      this.#recordResponse(this.#pendingSince.loop + intervalMs);
      this.#pendingSince.loop = performance.now();
    }, intervalMs).unref();
    void this.#pollPostgres(db);
  }

  /** Whether there was one since `start`, or there is one now. */
  since(start: number): boolean {
    const waited = performance.now() - Math.min(this.#pendingSince.loop, this.#pendingSince.postgres);
    return waited > thresholdMs || this.#stalls.some(({ to }) => to > start);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #pollPostgres(db: TestDatabase): Promise<void> {
    while (!this.#stopped) {
      this.#pendingSince.postgres = performance.now();
      // One that is away on purpose is the weather's.
      await db.asAdmin('select 1').then(
        () => this.#recordResponse(this.#pendingSince.postgres),
        () => {},
      );
      this.#pendingSince.postgres = Number.POSITIVE_INFINITY;
      await sleep(intervalMs);
    }
  }

  #recordResponse(from: number): void {
    const to = performance.now();
    this.longest = Math.max(this.longest, to - from);
    if (to - from > thresholdMs) this.#stalls.push({ from, to });
  }
}
