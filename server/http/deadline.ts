import type { RequestHandler } from 'express';
import { Cancellation } from '../../postgres/cancellation.ts';

declare global {
  namespace Express {
    interface Request {
      /** Cancels the request's work in the database at the deadline or when the client disconnects. */
      cancellation: Cancellation;
    }
  }
}

/**
 * Middleware that cancels the work of a request after `seconds`, or when the client disconnects. A route may extend its
 * deadline through `request.cancellation`.
 */
export function deadline(seconds: number): RequestHandler {
  return (request, response, next) => {
    const cancellation = new Cancellation();
    request.cancellation = cancellation;
    cancellation.expireIn(seconds);
    response.on('close', () => {
      cancellation.end();
      if (!response.writableFinished) cancellation.cancel('client gone');
    });
    next();
  };
}
