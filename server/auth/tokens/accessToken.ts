import jwt from 'jsonwebtoken';
import type { Keys } from './keys.ts';

/** The lifetime of an access token, in seconds. Revocation takes effect earlier: each transaction checks the session. */
export const accessTokenLifetime = 15 * 60;

/** Signs an access token of the user's session. */
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
