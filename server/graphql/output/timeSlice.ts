import type { Cancellation } from '../../../postgres/cancellation.ts';
import type { HoldsTurn } from '../../http/turn.ts';

/** Milliseconds that work goes on for before others have the event loop. */
const slice = 3;

/**
 * Milliseconds of slices that are charged as one hold. Slices are short, so that a request which needs the event loop three
 * or four times is quick beside them; and they come one after another, so that they cost more than short holds do.
 */
const charged = 10;

/** Work that waits for its next slice, the longest first. */
const waiting: (() => void)[] = [];

/** Resolves in another iteration of the event loop. One slice has each: together they would be one long hold. */
function nextIteration(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(goOn);
  });
}

function goOn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(goOn);
}

/** The request that work is done for. */
export type Worked = HoldsTurn & { readonly cancellation?: Cancellation };

/** For long work that need not be done at once: lets others have the event loop in between. */
export class TimeSlice {
  readonly #request: Worked;
  #since = performance.now();
  /** Milliseconds of slices that have not been charged. */
  #worked = 0;

  constructor(request: Worked) {
    this.#request = request;
  }

  /** Call it often. @throws CancelledError once the request was given up. */
  async pause(): Promise<void> {
    if (performance.now() - this.#since >= slice) await this.rest();
  }

  /** Lets others have the event loop now. @throws CancelledError once the request was given up. */
  async rest(): Promise<void> {
    this.#count();
    if (this.#worked >= charged) this.#charge();
    await nextIteration();
    this.#request.cancellation?.check();
    this.begin();
  }

  /** Work goes on after a wait. */
  begin(): void {
    this.#since = performance.now();
  }

  /** Charges what the work has taken. */
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
