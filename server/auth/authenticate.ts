import type { Request, RequestHandler, Response } from 'express';
import { Cancellation } from '../database/cancellation.ts';
import { Problem } from './problem.ts';

/**
 * The check of `signedIn` for a token that did not come with an HTTP request: an `Authorization` header's value, given in
 * the first message of a websocket. Undefined where `signedIn` answers 401.
 */
export function authenticator(signedIn: RequestHandler): (authorization: string) => Promise<Express.User | undefined> {
  return async (authorization) => {
    const request = { headers: { authorization }, cancellation: new Cancellation(), get: () => undefined } as never;
    try {
      await signedIn(request, {} as Response, () => {});
      return (request as Request).user;
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return undefined;
      throw error;
    }
  };
}
