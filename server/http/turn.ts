/** A request's permission to run, which its tenant shares with the tenant's other requests. */
interface RequestTurn {
  /** Adds `milliseconds` for which the request has held the event loop. */
  charge(milliseconds: number): void;
  /** The request has run a statement. */
  queried(): void;
  /** The request writes: it may wait for a commit, a lock or a standby. */
  writes(): void;
  /** The answer is complete: from here on the request waits for its client, and keeps no other tenant waiting. */
  sending(): void;
}

/** A request that has its turn, or none where requests are not admitted. */
export interface HoldsTurn {
  readonly turn?: RequestTurn;
}

declare global {
  namespace Express {
    interface Request {
      /** Absent where requests are not admitted one tenant at a time. */
      turn?: RequestTurn;
      /** Measures the work between the request's statements. */
      hold?: Hold;
    }
  }
}

/** Milliseconds of a measure up to which the clock is good enough. */
const short = 5;

/** Milliseconds after which the processor time that is known is too old for the beginning of a measure. */
const fresh = 20;

/** The processor time of this thread, and when it was read, in milliseconds. */
let known = { time: 0, at: Number.NEGATIVE_INFINITY };

/** Processor time of this thread, in milliseconds. Time that other processes take on a busy machine does not count. */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Begins a measure of work. @returns what `timeSince` takes. */
function beginning(): number {
  const now = performance.now();
  if (now - known.at > fresh) known = { time: threadTime(), at: now };
  return now;
}

/**
 * Milliseconds of work since `start`. Reading the processor time is a system call, which costs as much as a tenth of a short
 * request. So it is read at most every 20 ms, and behind work that seems long by the clock: of that counts what the
 * processor has spent, and at most 20 ms of other work.
 */
function timeSince(start: number): number {
  const elapsed = performance.now() - start;
  return elapsed <= short ? elapsed : Math.min(elapsed, threadTime() - known.time);
}

/** Runs `work`, which does not wait for anything, and charges its time to the request's tenant. */
export function charged<T>(request: HoldsTurn | undefined, work: () => T): T {
  if (!request?.turn) return work();
  const start = beginning();
  try {
    return work();
  } finally {
    request.turn.charge(timeSince(start));
  }
}

/**
 * Measures how long a request keeps the event loop with what its statements have read: from the moment that one is
 * answered (`begin`) until the next one is sent, all is done, or the event loop is free again (`end`).
 */
export class Hold {
  readonly #request: HoldsTurn;
  #since: number | undefined;

  constructor(request: HoldsTurn) {
    this.#request = request;
  }

  begin(): void {
    if (this.#since !== undefined) return;
    this.#since = beginning();
    // Behind all promises that are settled by now, and before anything else: from then on the request waits.
    process.nextTick(() => this.end());
  }

  /** A statement of the request was answered. */
  queried(): void {
    this.#request.turn?.queried();
  }

  /** Charges the request's tenant. Does nothing where nothing has begun. */
  end(): void {
    if (this.#since === undefined) return;
    this.#request.turn?.charge(timeSince(this.#since));
    this.#since = undefined;
  }
}
