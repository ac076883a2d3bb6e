/** Milliseconds: the first cooldown, the longest, and the time in use that resets the length to the first. */
const times = { first: 5000, longest: 60_000, reset: 60_000 };

/**
 * Decides whether a replica that sometimes does not answer is used.
 *
 * - _in use_, until it fails.
 * - _cooling down_: for 5 s, and twice as long after each further failure, up to a minute. It gets no requests.
 * - _probed_: the cooldown is over, and one probe is running. An answer puts the replica in use. Otherwise another cooldown
 *   begins.
 */
export class ReplicaCooldown {
  #coolingDown = false;
  #probing = false;
  #until = 0;
  #length = 0;
  #returned = Number.NEGATIVE_INFINITY;
  readonly #now: () => number;

  /** @param now milliseconds of a monotonic clock. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  get inUse(): boolean {
    return !this.#coolingDown;
  }

  /** Starts a cooldown, because the replica did not answer. Failures during a cooldown do not count. */
  failed(): void {
    if (this.#coolingDown) return;
    if (this.#now() - this.#returned > times.reset) this.#length = 0;
    this.#coolingDown = true;
    this.#begin();
  }

  /** Runs `probe` if the cooldown is over and no probe is running. Never throws. */
  probe(probe: () => Promise<boolean>): void {
    if (!this.#coolingDown || this.#probing || this.#now() < this.#until) return;
    this.#probing = true;
    probe().then(
      (answered) => this.#end(answered),
      () => this.#end(false),
    );
  }

  #end(answered: boolean): void {
    this.#probing = false;
    this.#coolingDown = !answered;
    if (answered) this.#returned = this.#now();
    else this.#begin();
  }

  #begin(): void {
    this.#length = Math.min(this.#length * 2 || times.first, times.longest);
    this.#until = this.#now() + this.#length;
  }
}
