const interval = 20;

/** Notices when the event loop stood still: a time-out that a request got then was the machine's and not the server's. */
export class Stalls {
  longest = 0;
  readonly #stalls: { readonly from: number; readonly to: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  #last = performance.now();

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      const late = now - this.#last - interval;
      this.longest = Math.max(this.longest, late);
      if (late > 150) this.#stalls.push({ from: this.#last, to: now });
      this.#last = now;
    }, interval).unref();
  }

  /** Whether there was one since `start`, or there is one now that the timer has yet to notice. */
  since(start: number): boolean {
    return this.#stalls.some(({ to }) => to > start) || performance.now() - this.#last > 150;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
