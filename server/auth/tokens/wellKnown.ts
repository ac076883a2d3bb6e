import type { RequestHandler } from 'express';
import type { Keys } from './keys.ts';

/** Responds with the public keys as a JWK set. */
export function wellKnown({ published }: Keys): RequestHandler {
  return (_request, response) => {
    response.set('Cache-Control', 'public, max-age=300').json({ keys: published });
  };
}
