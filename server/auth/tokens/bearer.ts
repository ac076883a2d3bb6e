import type { Request, RequestHandler, Response } from 'express';
import type { Identity } from '../../database/identity.ts';
import { unauthenticated } from '../problem.ts';
import { type RefusalLog, TokenRefusedError } from './refusals.ts';
import { RememberedTokens } from './remembered.ts';

declare global {
  namespace Express {
    /** Whose token came with the request: verified, but whether it still holds is the database's to say. */
    interface User {
      readonly identity: Identity;
      /** The same user's account, for sign-in's own tables. */
      readonly account: Identity;
      readonly userId: string;
      /** Undefined where the token is another issuer's. */
      readonly sessionId: string | undefined;
      /** When the token was issued and when it ends, in milliseconds since 1970. */
      readonly issuedAt: number;
      readonly expires: number;
    }
  }
}

/** Says whose token came with the request; undefined where it is not valid. */
type Authenticate = (request: Request, response: Response, token: string) => Promise<Express.User | undefined>;

/** One of the issuers whose tokens are accepted. */
export interface TrustedIssuer {
  /** Whether the token says, unverified, that it is this issuer's. */
  issued(token: string): boolean;
  readonly authenticate: Authenticate;
}

/**
 * Longest Authorization header that is read, in characters. Our own are half as long; those of other issuers name each
 * group of a user, some 60 characters each. `headerLimit` in app.ts has to leave room for it.
 */
const longest = { own: 1000, external: 32_768 };

/** The scheme, in any case, and the three parts of a signed token: everything else is refused unparsed. */
const wellFormed = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i;

/** Lets a request pass that carries a valid access token, and sets `request.user`. Anything else: 401. */
export function bearer(own: Authenticate, external: TrustedIssuer | undefined, refusals: RefusalLog): RequestHandler {
  const verified = new RememberedTokens();
  const limit = external ? longest.external : longest.own;
  return async (request, response, next) => {
    const { authorization = '' } = request.headers;
    const known = verified.find(authorization);
    if (known) {
      request.user = known;
      return next();
    }
    if (authorization.length > limit) {
      refusals.note(external ? 'external' : 'own', new TokenRefusedError('too long'));
      throw unauthenticated();
    }
    const token = wellFormed.exec(authorization)?.[1];
    if (!token) throw unauthenticated();
    const authenticate = external?.issued(token) ? external.authenticate : own;
    const user = await authenticate(request, response, token);
    if (!user) throw unauthenticated();
    verified.remember(authorization, user);
    request.user = user;
    next();
  };
}
