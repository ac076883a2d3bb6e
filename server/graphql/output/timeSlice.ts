import { setImmediate } from 'node:timers/promises';
import type { Cancellation } from '../../database/cancellation.ts';
import type { HoldsTurn } from '../../http/turn.ts';

/** Milliseconds that work goes on for before others have the event loop. */
const slice = 10;

/** The request that work is done for. */
export type Worked = HoldsTurn & { readonly cancellation?: Cancellation };

/** For long work that need not be done at once: lets others have the event loop in between. */
export class TimeSlice {
  readonly #request: Worked;
  #since = performance.now();

  constructor(request: Worked) {
    this.#request = request;
  }

  /** Call it often. @throws CancelledError once the request was given up. */
  async pause(): Promise<void> {
    if (performance.now() - this.#since >= slice) await this.rest();
  }

  /** Lets others have the event loop now. @throws CancelledError once the request was given up. */
  async rest(): Promise<void> {
    this.end();
    await setImmediate();
    this.#request.cancellation?.check();
    this.begin();
  }

  /** Work goes on after a wait. */
  begin(): void {
    this.#since = performance.now();
  }

  /** Charges what the work has taken since the last pause. */
  end(): void {
    const now = performance.now();
    this.#request.turn?.charge(now - this.#since);
    this.#since = now;
  }
}
