import type { Request, RequestHandler, Response } from 'express';
import { Problem } from './problem.ts';

/**
 * The check of `signedIn` for a token that did not come with an HTTP request: an `Authorization` header's value, given in
 * the first message of a websocket. Undefined where `signedIn` answers 401.
 */
export function authenticator(signedIn: RequestHandler): (authorization: string) => Promise<Express.User | undefined> {
  return (authorization) =>
    new Promise((resolve, reject) => {
      const request = { headers: { authorization } } as Request;
      const next = (error?: unknown) => {
        if (error && !(error instanceof Problem && error.status === 401)) reject(error);
        else resolve(error ? undefined : request.user);
      };
      void signedIn(request, {} as Response, next);
    });
}
