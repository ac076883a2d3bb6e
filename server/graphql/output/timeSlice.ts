import type { Cancellation } from '../../../postgres/cancellation.ts';
import type { HoldsTurn } from '../../http/turn.ts';

/** The length of a time slice, in milliseconds. After it, other work gets the event loop. */
const slice = 3;

/**
 * Milliseconds of slices that are charged as one hold. Slices are short, so that another request that needs the event loop
 * three or four times stays fast. They follow one another, so together they cost more than separate short holds.
 */
const chargeUnit = 10;

/** Work that waits for its next slice, the longest waiting first. */
const waiting: (() => void)[] = [];

/** Resolves in another iteration of the event loop. Each iteration has one slice; several would be one long hold. */
function nextIteration(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(runNext);
  });
}

function runNext(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(runNext);
}

/** A request that is charged for work. */
export type ChargedRequest = HoldsTurn & { readonly cancellation?: Cancellation };

/**
 * Splits long work into time slices, and lets other work have the event loop between them. It alternates between working
 * (`begin`) and waiting (`rest`) until `end`. It charges the time of the slices to the request.
 */
export class TimeSlice {
  readonly #request: ChargedRequest;
  #since = performance.now();
  /** Milliseconds of slices that are not charged yet. */
  #worked = 0;

  constructor(request: ChargedRequest) {
    this.#request = request;
  }

  /**
   * Waits if the current slice is over. Call it often.
   *
   * @throws CancelledError when the request is canceled.
   */
  async pause(): Promise<void> {
    if (performance.now() - this.#since >= slice) await this.rest();
  }

  /**
   * Ends the current slice, and waits for the next one.
   *
   * @throws CancelledError when the request is canceled.
   */
  async rest(): Promise<void> {
    this.#count();
    if (this.#worked >= chargeUnit) this.#charge();
    await nextIteration();
    this.#request.cancellation?.check();
    this.begin();
  }

  /** Starts a slice after a wait. */
  begin(): void {
    this.#since = performance.now();
  }

  /** Ends the work, and charges the rest of its time. */
  end(): void {
    this.#count();
    this.#charge();
  }

  #count(): void {
    const now = performance.now();
    this.#worked += now - this.#since;
    this.#since = now;
  }

  #charge(): void {
    this.#request.turn?.charge(this.#worked);
    this.#worked = 0;
  }
}
