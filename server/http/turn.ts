/** A request that holds its tenant's turn on the event loop, or none where requests are not admitted. */
export interface HoldsTurn {
  readonly turn?: {
    /** Adds `milliseconds` for which the request has held the event loop. */
    charge(milliseconds: number): void;
    /** The answer is complete: from here on the request waits for its client, and keeps no other tenant waiting. */
    sending(): void;
  };
}

/** Processor time of this thread, in milliseconds. Time that other processes take on a busy machine does not count. */
export function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Runs `work`, which does not wait for anything, and charges its time to the request's tenant. */
export function charged<T>(request: HoldsTurn | undefined, work: () => T): T {
  if (!request?.turn) return work();
  const start = threadTime();
  try {
    return work();
  } finally {
    request.turn.charge(threadTime() - start);
  }
}
