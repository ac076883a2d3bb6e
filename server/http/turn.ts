/** The part of an admitted request's turn (`Turn`) that this layer uses. */
interface RequestTurn {
  /** Charges `milliseconds` for which the request has held the event loop. */
  charge(milliseconds: number): void;
  /** Notes that the request has run a statement. */
  queried(): void;
  /** Notes that the request writes, so that it may wait for a commit, a lock or a standby. */
  writes(): void;
  /** Notes that the answer is complete. From here on, the request waits for its client and blocks no other tenant. */
  sending(): void;
}

/** A request with its turn, or without one if requests are not admitted. */
export interface HoldsTurn {
  readonly turn?: RequestTurn;
}

declare global {
  namespace Express {
    interface Request {
      /** Absent on routes without admission. */
      turn?: RequestTurn;
      /** Measures the work between the statements of the request. */
      hold?: Hold;
    }
  }
}

/** Milliseconds up to which elapsed time is precise enough. Longer measurements use the CPU time of the thread. */
const short = 5;

/** Milliseconds after which the last sample of the CPU time is too old to start a measurement. */
const sampleTime = 20;

/** The last sample of the thread's CPU time, and the time of the sample, in milliseconds. */
let sample = { time: 0, at: Number.NEGATIVE_INFINITY };

/** CPU time of this thread, in milliseconds. It excludes the time of other processes on a busy machine. */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Starts a measurement. @returns the start for `timeSince`. */
function startMeasuring(): number {
  const now = performance.now();
  if (now - sample.at > sampleTime) sample = { time: threadTime(), at: now };
  return now;
}

/**
 * Returns the milliseconds of work since `start`. Reading the CPU time is a system call that costs a tenth of a short
 * request. So it is read at most every 20 ms, and after work that seems long by the clock. For long work, the CPU time
 * counts. It may include up to 20 ms of earlier work.
 */
function timeSince(start: number): number {
  const elapsed = performance.now() - start;
  return elapsed <= short ? elapsed : Math.min(elapsed, threadTime() - sample.time);
}

/** Runs synchronous `work`, and charges its time to the request's tenant. */
export function charged<T>(request: HoldsTurn | undefined, work: () => T): T {
  if (!request?.turn) return work();
  const start = startMeasuring();
  try {
    return work();
  } finally {
    request.turn.charge(timeSince(start));
  }
}

/**
 * Measures how long a request holds the event loop to process the rows of its statements. A hold lasts from the answer of a
 * statement (`begin`) until the next statement is sent, the request is done, or the event loop is free again (`end`).
 */
export class Hold {
  readonly #request: HoldsTurn;
  #since: number | undefined;

  constructor(request: HoldsTurn) {
    this.#request = request;
  }

  begin(): void {
    if (this.#since !== undefined) return;
    this.#since = startMeasuring();
    // This runs after all settled promises and before anything else. From then on, the request waits.
    process.nextTick(() => this.end());
  }

  /** Notes that a statement of the request was answered. */
  queried(): void {
    this.#request.turn?.queried();
  }

  /** Ends the hold and charges the request's tenant. Has no effect without a hold. */
  end(): void {
    if (this.#since === undefined) return;
    this.#request.turn?.charge(timeSince(this.#since));
    this.#since = undefined;
  }
}
