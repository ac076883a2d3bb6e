/** Milliseconds: the first rest, the longest, and the time in use after which the next rest is a first one again. */
const times = { first: 5000, longest: 60_000, steady: 60_000 };

/**
 * Whether a server that sometimes does not answer is used.
 *
 * - _in use_: until it fails.
 * - _resting_: for 5 s, after each further failure twice as long, up to a minute. Nothing is sent.
 * - _probed_: the rest is over, and one probe is under way. An answer puts the server in use; otherwise it rests again.
 */
export class Rest {
  #resting = false;
  #probing = false;
  #until = 0;
  #length = 0;
  #returned = Number.NEGATIVE_INFINITY;
  readonly #now: () => number;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  get inUse(): boolean {
    return !this.#resting;
  }

  /** It did not answer. Requests that were under way together count once. */
  failed(): void {
    if (this.#resting) return;
    if (this.#now() - this.#returned > times.steady) this.#length = 0;
    this.#resting = true;
    this.#begin();
  }

  /** Runs `probe` where a rest is over and no probe is under way. It never throws. */
  probe(probe: () => Promise<boolean>): void {
    if (!this.#resting || this.#probing || this.#now() < this.#until) return;
    this.#probing = true;
    probe().then(
      (answered) => this.#end(answered),
      () => this.#end(false),
    );
  }

  #end(answered: boolean): void {
    this.#probing = false;
    this.#resting = !answered;
    if (answered) this.#returned = this.#now();
    else this.#begin();
  }

  #begin(): void {
    this.#length = Math.min(this.#length * 2 || times.first, times.longest);
    this.#until = this.#now() + this.#length;
  }
}
