import type { Request, Response } from 'express';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import jwt from 'jsonwebtoken';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { z } from 'zod';
import { Identity } from '../../tenancy/identity.ts';
import { type Keys, leeway } from './keys.ts';
import { type RefusalLog, TokenRefusedError } from './refusals.ts';

// The only fields of the server's own headers. Strict, because other fields could carry or locate a key.
const header = z.strictObject({
  alg: z.string(),
  typ: z.string().regex(/^jwt$/i).optional(),
  kid: z.string().optional(),
});

/**
 * Returns a function that verifies the server's own access tokens. It does not query the database: the first transaction
 * of the request checks whether the session is active.
 */
export function ownTokens(keys: Keys, refusals: RefusalLog): (token: string) => Promise<Express.User | undefined> {
  const { issuer, audience } = keys;
  // `aud` must be text, as this server signs it. jsonwebtoken also accepts lists of audiences.
  const claims = z.object({
    sub: z.uuid(),
    sid: z.uuid(),
    aud: z.literal(audience),
    exp: z.number(),
    iat: z.number(),
  });
  const authenticator = new passport.Passport();
  authenticator.use(
    new Strategy(
      {
        issuer,
        audience,
        jsonWebTokenOptions: { clockTolerance: leeway },
        algorithms: [...new Set([...keys.byId.values()].map(({ algorithm }) => algorithm))],
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        secretOrKeyProvider: (_request, token, done) => {
          const key = keyFor(keys, token);
          if (key) done(null, key.verifying as unknown as Buffer);
          else done(new TokenRefusedError('unknown key'));
        },
      },
      (payload, done) => {
        const { success, data } = claims.safeParse(payload);
        if (!success) return done(null, false, new TokenRefusedError('claim missing or malformed'));
        const ahead = data.iat - Date.now() / 1000;
        if (ahead > leeway) return done(null, false, new TokenRefusedError('issued in the future', Math.round(ahead)));
        done(null, signedIn(data));
      },
    ),
  );
  return (token) =>
    new Promise((resolve, reject) => {
      const answer = (error: unknown, user: Express.User | false | undefined, info: unknown) => {
        if (error) return reject(error);
        if (!user) refusals.note('own', refusalOf(info));
        resolve(user || undefined);
      };
      // passport-jwt reads only the header of the request.
      const request = { headers: { authorization: `Bearer ${token}` } } as Request;
      authenticator.authenticate('jwt', { session: false }, answer)(request, {} as Response, reject);
    });
}

/** Finds the cause of a refusal by passport-jwt. `info` is an error of this module or of jsonwebtoken. */
function refusalOf(info: unknown): TokenRefusedError {
  const now = Date.now();
  const seconds = (milliseconds: number) => Math.round(milliseconds / 1000);
  if (info instanceof TokenRefusedError) return info;
  if (info instanceof jwt.TokenExpiredError)
    return new TokenRefusedError('expired', seconds(now - info.expiredAt.getTime()));
  if (info instanceof jwt.NotBeforeError)
    return new TokenRefusedError('not valid yet', seconds(info.date.getTime() - now));
  const isSignature = info instanceof Error && info.message === 'invalid signature';
  return new TokenRefusedError(isSignature ? 'wrong signature' : 'malformed');
}

/** Finds the key that the token's header names, if the key has the algorithm in the header. */
function keyFor({ byId }: Keys, token: string) {
  try {
    const { alg, kid } = header.parse(decodeProtectedHeader(token));
    // Throws if the claims are not an object, a case that jsonwebtoken does not handle.
    decodeJwt(token);
    const key = byId.get(kid);
    return key?.algorithm === alg ? key : undefined;
  } catch {
    return undefined;
  }
}

function signedIn({ sub, sid, iat, exp }: { sub: string; sid: string; iat: number; exp: number }): Express.User {
  return {
    identity: Identity.tenant(sub, sid),
    account: Identity.account(sub, sid),
    userId: sub,
    sessionId: sid,
    organizationId: undefined,
    issuedAt: iat * 1000,
    expires: exp * 1000,
  };
}
