import { decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import { Problem } from '../../http/problem.ts';
import type { ExternalToken } from '../../tenancy/identity.ts';
import { leeway } from './keys.ts';
import { type RefusalCause, TokenRefusedError } from './refusals.ts';

/** Another issuer whose tokens are accepted. */
export interface ExternalIssuer {
  /** What `iss` and `aud` must say, exactly; `aud` may be a list that has it. */
  readonly issuer: string;
  readonly audience: string;
  /** Where the issuer publishes its keys, as a JWK set. */
  readonly jwksUrl: string;
}

/** The claims of a verified token. */
export interface ExternalClaims {
  readonly token: ExternalToken;
  /** In seconds since 1970. */
  readonly issuedAt: number;
  readonly expires: number;
  /** Whatever else there is. Nothing says that it has a certain shape. */
  readonly profile: Readonly<Record<string, unknown>>;
}

/** Only asymmetric algorithms: with a symmetric one, anyone with the public key could sign tokens. */
const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'];

/** A token of another kind by the same issuer, such as its notice of a logout, says so in its header. */
const types: readonly unknown[] = [undefined, 'jwt', 'at+jwt', 'application/at+jwt'];

const claims = z.looseObject({
  // What Postgres cannot store, or would store as another text.
  sub: z
    .string()
    .min(1)
    .max(255)
    .refine((sub) => sub.isWellFormed() && !sub.includes('\0')),
  iat: z.number().nonnegative(),
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
 * Verifies a token of the issuer and returns its claims.
 *
 * @throws TokenRefusedError when the token is not valid; Problem 503 when the issuer's keys cannot be had.
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
  // The issuer's clock may be ahead of ours: a token from before a logout must not seem to come after it.
  const external = { issuer, subject: sub, issuedAt: iat - leeway };
  return { token: external, issuedAt: iat, expires: exp, profile };
}

/** Causes by the codes of jose's errors. */
const causes: Readonly<Record<string, RefusalCause>> = {
  [errors.JWSSignatureVerificationFailed.code]: 'wrong signature',
  [errors.JWKSNoMatchingKey.code]: 'unknown key',
  [errors.JWKSMultipleMatchingKeys.code]: 'several keys match',
  [errors.JOSEAlgNotAllowed.code]: 'algorithm not accepted',
};

/** @throws TokenRefusedError with the cause of jose's error; Problem as it is. */
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
