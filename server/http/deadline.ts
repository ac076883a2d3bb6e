import type { RequestHandler } from 'express';
import { Cancellation } from '../../postgres/cancellation.ts';

declare global {
  namespace Express {
    interface Request {
      /** Gives up the request's work in the database when time is up or the client has gone. */
      cancellation: Cancellation;
    }
  }
}

/** Gives every request `seconds` to be answered, unless its route says more, and stops working for clients that have gone. */
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
