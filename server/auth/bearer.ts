import type { RequestHandler } from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { z } from 'zod';
import { Identity } from '../database/identity.ts';
import { unauthenticated } from './problem.ts';
import type { TokenSettings } from './tokens.ts';

declare global {
  namespace Express {
    /** Whose token came with the request: verified, but whether the session still lives is the database's to say. */
    interface User {
      readonly identity: Identity;
      readonly userId: string;
      readonly sessionId: string;
      /** When the token ends, in milliseconds since 1970. */
      readonly expires: number;
    }
  }
}

const claims = z.object({ sub: z.uuid(), sid: z.uuid(), exp: z.number() });

/** Tokens that are remembered; beyond it the one that came first is forgotten. Ours are far shorter than the limit. */
const remembered = { count: 10_000, length: 1000 };

/** Lets a request pass that carries a valid access token, and sets `request.user`. Anything else: 401, and no database. */
export function bearer({ key, algorithm, issuer, audience }: TokenSettings): RequestHandler {
  const authenticator = new passport.Passport();
  authenticator.use(
    new Strategy(
      {
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        secretOrKey: key as unknown as Buffer,
        algorithms: [algorithm],
        issuer,
        audience,
      },
      (payload, done) => {
        const { success, data } = claims.safeParse(payload);
        if (!success) return done(null, false);
        const { sub: userId, sid: sessionId, exp } = data;
        done(null, { identity: Identity.tenant(userId, sessionId), userId, sessionId, expires: exp * 1000 });
      },
    ),
  );
  // A token that was verified stays verified until it expires, by the whole of it; verifying is a fifth of a short
  // request. Whether its session lives is still asked each time, of the database.
  const verified = new Map<string, Express.User>();
  return (request, response, next) => {
    const { authorization = '' } = request.headers;
    const known = verified.get(authorization);
    if (known && known.expires > Date.now()) {
      request.user = known;
      return next();
    }
    verified.delete(authorization);
    const answer = (error: unknown, user: Express.User | false | undefined) => {
      if (error || !user) return next(error ?? unauthenticated());
      request.user = user;
      if (authorization.length <= remembered.length) remember(verified, authorization, user);
      next();
    };
    authenticator.authenticate('jwt', { session: false }, answer)(request, response, next);
  };
}

function remember(verified: Map<string, Express.User>, authorization: string, user: Express.User): void {
  const [oldest] = verified.size < remembered.count ? [] : verified.keys();
  if (oldest !== undefined) verified.delete(oldest);
  verified.set(authorization, user);
}
