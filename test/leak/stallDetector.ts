import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from '../support/database.ts';

const intervalMs = 20;

/** A delay above this is a stall: no work of the test itself takes longer. */
const thresholdMs = 150;

/**
 * Detects stalls of the machine, so that a timeout during one does not count as an error of the server.
 *
 * Two pings run until `stop`: a timer for the event loop and `select 1` for Postgres. Each is idle or pending. A ping
 * that is pending for longer than the threshold is a stall, which ends with its response.
 */
export class StallDetector {
  longest = 0;
  readonly #stalls: { readonly from: number; readonly to: number }[] = [];
  /** Start of the pending ping; infinity while none is pending. */
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

  /** Whether a stall ended after `start`, or lasts now. */
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
      // A refused connection is a fault of the scenario, not a stall.
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
