import jwt from 'jsonwebtoken';
import type { Keys } from './keys.ts';

/** Seconds that an access token is valid. Revocation does not wait for it. */
export const accessTokenLifetime = 15 * 60;

/** A signed access token of the user's session. */
export function signAccessToken({ first, issuer, audience }: Keys, userId: string, sessionId: string): string {
  const { id, algorithm, signing } = first;
  return jwt.sign({ sid: sessionId }, signing, {
    algorithm,
    issuer,
    audience,
    subject: userId,
    expiresIn: accessTokenLifetime,
    ...(id !== undefined && { keyid: id }),
  });
}
