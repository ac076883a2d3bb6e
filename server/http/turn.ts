declare global {
  namespace Express {
    interface Request {
      /** The tenant's turn on the event loop; absent where requests are not admitted one tenant at a time. */
      turn?: {
        /** Adds time for which this request has kept the event loop from others. */
        charge(milliseconds: number): void;
      };
    }
  }
}

/** Runs `work`, which does not wait for anything, and charges its time to the request's tenant. */
export function charged<T>(request: Pick<Express.Request, 'turn'> | undefined, work: () => T): T {
  if (!request?.turn) return work();
  const start = performance.now();
  try {
    return work();
  } finally {
    request.turn.charge(performance.now() - start);
  }
}
