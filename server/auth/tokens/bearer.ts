import type { RequestHandler } from 'express';
import type { Cancellation } from '../../../postgres/cancellation.ts';
import { unauthenticated } from '../../http/problem.ts';
import type { Identity } from '../../tenancy/identity.ts';
import { type Origin, originOf } from '../origin.ts';
import { type RefusalLog, TokenRefusedError } from './refusals.ts';
import { RememberedTokens } from './remembered.ts';

declare global {
  namespace Express {
    /** The user of a verified token. The database checks later whether the session is still active. */
    interface User {
      readonly identity: Identity;
      /** The same user with the role of sign-in, for the tables of authentication. */
      readonly account: Identity;
      readonly userId: string;
      /** `undefined` for the token of an external issuer. */
      readonly sessionId: string | undefined;
      /** The organization that the request acts for; `undefined` if it acts for none. See `actFor`. */
      readonly organizationId: string | undefined;
      /** The times of issue and expiry of the token, in milliseconds since 1970. */
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

/** Finds the user of an `Authorization` header's value; `undefined` if it contains no valid token. */
type Authenticate = (authorization: string, source: TokenSource) => Promise<Express.User | undefined>;

/** An issuer whose tokens the server accepts. */
export interface TrustedIssuer {
  /** Tells whether the token names this issuer. Does not verify the token. */
  issued(token: string): boolean;
  /** Verifies the token and finds its user; `undefined` for an invalid token. */
  authenticate(token: string, source: TokenSource): Promise<Express.User | undefined>;
}

/**
 * The maximum length of an Authorization header, in characters. The server's own tokens need half of it. External tokens
 * may name each group of a user, at about 60 characters each. `headerLimit` in app.ts must be larger.
 */
const maxLength = { own: 1000, external: 32_768 };

/** The case-insensitive scheme and the three parts of a signed token. Other headers are refused without parsing. */
const wellFormed = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i;

/** Verifies tokens, and remembers the verified ones. */
interface TokenVerifier {
  /** Finds the user of a token that was verified before. */
  remembered(authorization: string): Express.User | undefined;
  readonly verify: Authenticate;
}

/**
 * Creates a verifier for the server's own access tokens and those of an external issuer.
 *
 * @param own verifies a token that this server issued.
 */
export function tokenVerifier(
  own: (token: string) => Promise<Express.User | undefined>,
  external: TrustedIssuer | undefined,
  refusals: RefusalLog,
): TokenVerifier {
  const verified = new RememberedTokens();
  const limit = external ? maxLength.external : maxLength.own;
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

/** Creates middleware that sets `request.user` from a valid access token, and responds 401 to other requests. */
export function bearer({ remembered, verify }: TokenVerifier): RequestHandler {
  return async (request, _response, next) => {
    const { authorization = '' } = request.headers;
    const { cancellation } = request;
    const user =
      remembered(authorization) ?? (await verify(authorization, { cancellation, origin: () => originOf(request) }));
    if (!user) throw unauthenticated();
    request.user = user;
    next();
  };
}
