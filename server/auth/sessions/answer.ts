import type { AuthContext } from '../context.ts';
import { accessTokenLifetime, signAccessToken } from '../tokens/accessToken.ts';
import type { SignIn } from './begin.ts';

/** Builds the response to a sign-in or a refresh. */
export function tokenAnswer({ keys }: AuthContext, { user, sessionId, refreshToken }: SignIn) {
  return {
    user,
    accessToken: signAccessToken(keys, user.id, sessionId),
    tokenType: 'Bearer',
    expiresIn: accessTokenLifetime,
    refreshToken,
  };
}
