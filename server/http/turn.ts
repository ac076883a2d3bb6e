/** A request's permission to run, which its tenant shares with the tenant's other requests. */
export interface RequestTurn {
  /** Adds `milliseconds` for which the request has held the event loop. */
  charge(milliseconds: number): void;
  /** The answer is complete: from here on the request holds nobody up. */
  sending(): void;
}

declare global {
  namespace Express {
    interface Request {
      /** Absent where requests are not admitted one tenant at a time. */
      turn?: RequestTurn;
    }
  }
}

/** Processor time of this thread, in milliseconds. Time that other processes take on a busy machine does not count. */
export function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Runs `work`, which is synchronous, and charges its time to the request's tenant. */
export function charged<T>(request: Pick<Express.Request, 'turn'> | undefined, work: () => T): T {
  if (!request?.turn) return work();
  const start = threadTime();
  try {
    return work();
  } finally {
    request.turn.charge(threadTime() - start);
  }
}
