import { decodeJwt, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { ExternalToken } from '../../database/identity.ts';
import { Problem } from '../problem.ts';
import { leeway } from './keys.ts';

/** Another issuer whose tokens are accepted. */
export interface ExternalIssuer {
  /** What `iss` and `aud` must say, exactly; `aud` may be a list that has it. */
  readonly issuer: string;
  readonly audience: string;
  /** Where the issuer publishes its keys, as a JWK set. */
  readonly jwksUrl: string;
}

/** What a verified token says. */
export interface ExternalClaims {
  readonly token: ExternalToken;
  /** In seconds since 1970. */
  readonly issuedAt: number;
  readonly expires: number;
  /** Whatever else there is. Nothing says that it has a certain shape. */
  readonly profile: Readonly<Record<string, unknown>>;
}

/** Asymmetric ones alone: whoever can read a public key could sign with any other. */
const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'];

/** A token of another kind by the same issuer, such as its notice of a logout, says so in its header. */
const types: readonly (string | undefined)[] = [undefined, 'jwt', 'at+jwt', 'application/at+jwt'];

const claims = z.looseObject({
  // What Postgres cannot store, or would store as another text.
  sub: z
    .string()
    .min(1)
    .max(255)
    .refine((sub) => sub.isWellFormed() && !sub.includes('\0')),
  iat: z
    .number()
    .nonnegative()
    .refine((iat) => iat <= Date.now() / 1000 + leeway),
  exp: z.number(),
});

/** Whether the token says, unverified, that the issuer made it. */
export function issuedBy({ issuer }: ExternalIssuer, token: string): boolean {
  try {
    return decodeJwt(token).iss === issuer;
  } catch {
    return false;
  }
}

/**
 * What the token says if it is the issuer's and is valid; undefined otherwise.
 *
 * @throws Problem 503 when the issuer's keys cannot be had.
 */
export async function verifyExternal(
  { issuer, audience }: ExternalIssuer,
  keys: JWTVerifyGetKey,
  token: string,
): Promise<ExternalClaims | undefined> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      ...{ issuer, audience, algorithms, clockTolerance: leeway },
    });
    if (!types.includes(protectedHeader.typ?.toLowerCase())) return undefined;
    const { sub, iat, exp, ...profile } = claims.parse(payload);
    // The issuer's clock may be ahead of ours: a token from before a logout must not seem to come after it.
    const external = { issuer, subject: sub, issuedAt: iat - leeway };
    return { token: external, issuedAt: iat, expires: exp, profile };
  } catch (error) {
    if (error instanceof Problem) throw error;
    return undefined;
  }
}
