import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import jwt from 'jsonwebtoken';

/** Seconds that an access token is valid. Revocation does not wait for it. */
export const accessTokenLifetime = 15 * 60;

/** What tokens are signed and verified with, and the claims they must carry. */
export interface TokenSettings {
  readonly key: KeyObject;
  readonly algorithm: 'HS256';
  readonly issuer: string;
  readonly audience: string;
}

/** Settings for HS256 with `secret`. The key is an object because jsonwebtoken tries to parse a string as PEM each time. */
export function tokenSettings(secret: string): TokenSettings {
  return { key: createSecretKey(secret, 'utf8'), algorithm: 'HS256', issuer: 'hedgerow', audience: 'hedgerow' };
}

/** A signed access token of the user's session. */
export function signAccessToken(
  { key, algorithm, issuer, audience }: TokenSettings,
  userId: string,
  sessionId: string,
): string {
  return jwt.sign({ sid: sessionId }, key, {
    algorithm,
    issuer,
    audience,
    subject: userId,
    expiresIn: accessTokenLifetime,
  });
}

/** A new refresh token of 256 random bits, and the hash that is stored in its place. */
export function newRefreshToken(): { token: string; hash: Buffer } {
  const token = randomBytes(32).toString('base64url');
  return { token, hash: createHash('sha256').update(token).digest() };
}
