import type { RequestHandler } from 'express';
import type { Cancellation } from '../../../postgres/cancellation.ts';
import { unauthenticated } from '../../http/problem.ts';
import type { Identity } from '../../tenancy/identity.ts';
import { type Origin, originOf } from '../origin.ts';
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

/** The request or websocket message that carries a token. */
interface TokenSource {
  readonly cancellation: Cancellation;
  origin(): Origin;
}

/** Finds the user of an `Authorization` header's value; `undefined` where it carries no valid token. */
type Authenticate = (authorization: string, source: TokenSource) => Promise<Express.User | undefined>;

/** One of the issuers whose tokens are accepted. */
export interface TrustedIssuer {
  /** Whether the token says, unverified, that it is this issuer's. */
  issued(token: string): boolean;
  /** @returns `undefined` where the token is not valid. */
  authenticate(token: string, source: TokenSource): Promise<Express.User | undefined>;
}

/**
 * Longest Authorization header that is read, in characters. Our own are half as long; those of other issuers name each
 * group of a user, some 60 characters each. `headerLimit` in app.ts has to leave room for it.
 */
const longest = { own: 1000, external: 32_768 };

/** The scheme, in any case, and the three parts of a signed token: everything else is refused unparsed. */
const wellFormed = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i;

/** Verified tokens, and the way to verify another one. */
interface TokenVerifier {
  /** The user of a token that was verified before. */
  remembered(authorization: string): Express.User | undefined;
  readonly verify: Authenticate;
}

/**
 * Verifies the access tokens of `own` and of `external`, and remembers the verified ones.
 *
 * @param own verifies a token of this server's.
 */
export function tokenVerifier(
  own: (token: string) => Promise<Express.User | undefined>,
  external: TrustedIssuer | undefined,
  refusals: RefusalLog,
): TokenVerifier {
  const verified = new RememberedTokens();
  const limit = external ? longest.external : longest.own;
  return {
    remembered: (authorization) => verified.find(authorization),
    async verify(authorization, source) {
      if (authorization.length > limit) {
        refusals.note(external ? 'external' : 'own', new TokenRefusedError('too long'));
        return undefined;
      }
      const token = wellFormed.exec(authorization)?.[1];
      if (!token) return undefined;
      const user = await (external?.issued(token) ? external.authenticate(token, source) : own(token));
      if (user) verified.remember(authorization, user);
      return user;
    },
  };
}

/** Passes a request with a valid access token on, and sets `request.user`. Any other request: 401. */
export function bearer({ remembered, verify }: TokenVerifier): RequestHandler {
  return async (request, _response, next) => {
    const { authorization = '' } = request.headers;
    const known = remembered(authorization);
    if (known) {
      request.user = known;
      return next();
    }
    const { cancellation } = request;
    const user = await verify(authorization, { cancellation, origin: () => originOf(request) });
    if (!user) throw unauthenticated();
    request.user = user;
    next();
  };
}
