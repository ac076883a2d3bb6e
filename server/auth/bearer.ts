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
    }
  }
}

const claims = z.object({ sub: z.uuid(), sid: z.uuid(), exp: z.number() });

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
        done(null, success ? { identity: Identity.tenant(data.sub, data.sid) } : false);
      },
    ),
  );
  return (request, response, next) => {
    const answer = (error: unknown, user: Express.User | false | undefined) => {
      if (user) request.user = user;
      next(error ?? (user ? undefined : unauthenticated()));
    };
    authenticator.authenticate('jwt', { session: false }, answer)(request, response, next);
  };
}
