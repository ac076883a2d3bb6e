import { decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import { Problem } from '../../http/problem.ts';
import type { ExternalToken } from '../../tenancy/identity.ts';
import { leeway } from './keys.ts';
import { type RefusalCause, TokenRefusedError } from './refusals.ts';

/** An external issuer whose tokens the server accepts. */
export interface ExternalIssuer {
  /** The exact value of the claim `iss`. */
  readonly issuer: string;
  /** The exact value of the claim `aud`, or one element of it if it is a list. */
  readonly audience: string;
  /** The URL of the issuer's public keys, a JWK set. */
  readonly jwksUrl: string;
}

/** The claims of a verified token. */
export interface ExternalClaims {
  readonly token: ExternalToken;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** Seconds since 1970. */
  readonly expires: number;
  /** All other claims. They are not validated. */
  readonly profile: Readonly<Record<string, unknown>>;
}

/** Accepted algorithms, all asymmetric. With a symmetric algorithm, anyone with the public key could sign tokens. */
const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'];

/** Accepted values of `typ`. Other tokens of the issuer, such as logout tokens, have another type in their header. */
const types: readonly unknown[] = [undefined, 'jwt', 'at+jwt', 'application/at+jwt'];

const claims = z.looseObject({
  // The refinement refuses text that Postgres cannot store unchanged: NUL and lone surrogates.
  sub: z
    .string()
    .min(1)
    .max(255)
    .refine((sub) => sub.isWellFormed() && !sub.includes('\0')),
  iat: z.number().nonnegative(),
  exp: z.number(),
});

/** Tells whether the token names this issuer. Does not verify the token. */
export function issuedBy({ issuer }: ExternalIssuer, token: string): boolean {
  try {
    return decodeJwt(token).iss === issuer;
  } catch {
    return false;
  }
}

/**
 * Verifies a token of the issuer and returns its claims.
 *
 * @throws TokenRefusedError when the token is not valid; Problem 503 when the issuer's keys are unavailable.
 */
export async function verifyExternal(
  { issuer, audience }: ExternalIssuer,
  keys: JWTVerifyGetKey,
  token: string,
): Promise<ExternalClaims> {
  const options = { issuer, audience, algorithms, clockTolerance: leeway };
  const { payload, protectedHeader } = await jwtVerify(token, keys, options).catch(refuse);
  const { typ } = protectedHeader as { typ?: unknown };
  if (!types.includes(typeof typ === 'string' ? typ.toLowerCase() : typ)) {
    throw new TokenRefusedError('wrong type');
  }
  const { success, data } = claims.safeParse(payload);
  if (!success) throw new TokenRefusedError('claim missing or malformed');
  const { sub, iat, exp, ...profile } = data;
  const ahead = iat - Date.now() / 1000;
  if (ahead > leeway) throw new TokenRefusedError('issued in the future', Math.round(ahead));
  // The issuer's clock may be ahead of this server's. A token from before a logout must not appear to be issued after it.
  const external = { issuer, subject: sub, issuedAt: iat - leeway };
  return { token: external, issuedAt: iat, expires: exp, profile };
}

/** Causes by the error code of jose. */
const causes: Readonly<Record<string, RefusalCause>> = {
  [errors.JWSSignatureVerificationFailed.code]: 'wrong signature',
  [errors.JWKSNoMatchingKey.code]: 'unknown key',
  [errors.JWKSMultipleMatchingKeys.code]: 'several keys match',
  [errors.JOSEAlgNotAllowed.code]: 'algorithm not accepted',
};

/**
 * Converts an error of jose.
 *
 * @throws TokenRefusedError with the cause of the error; a Problem unchanged.
 */
function refuse(error: unknown): never {
  if (error instanceof Problem) throw error;
  const now = Date.now() / 1000;
  if (error instanceof errors.JWTExpired) {
    throw new TokenRefusedError('expired', Math.round(now - Number(error.payload.exp)));
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, payload } = error;
    if (claim === 'nbf' && typeof payload.nbf === 'number') {
      throw new TokenRefusedError('not valid yet', Math.round(payload.nbf - now));
    }
    if (claim === 'aud') throw new TokenRefusedError('wrong audience');
    throw new TokenRefusedError(claim === 'iss' ? 'wrong issuer' : 'claim missing or malformed');
  }
  throw new TokenRefusedError(causes[String((error as { code?: unknown }).code)] ?? 'malformed');
}
