import type { Cancellation } from '../../../postgres/cancellation.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';
import { endExternalTokens } from '../accounts/externalUser.ts';
import { audit } from '../audit.ts';
import type { Origin } from '../origin.ts';
import { hashPassword } from '../passwords/passwords.ts';
import { findMailToken, takeMailToken, wrongToken } from './mailTokens.ts';
import { markVerified } from './verifyEmail.ts';

/**
 * Sets a new password for the token's user. Ends all sessions and external tokens of the user, and marks the address as
 * verified.
 *
 * @param client runs SQL as sign-in.
 * @throws Problem 400 when the token is not valid. Of two concurrent requests with one token, one fails.
 */
export async function resetPassword(
  client: IdentifiedClient,
  { token, newPassword }: { token: string; newPassword: string },
  origin: Origin,
  cancellation: Cancellation,
): Promise<void> {
  // Check the token before hashing. Hashing is expensive, and an invalid token must not cause it.
  const { rowCount } = await client.query(findMailToken('reset password', token));
  if (rowCount === 0) throw wrongToken();
  const passwordHash = await hashPassword(newPassword, cancellation);
  await client.transaction(async (transaction) => {
    const userId = await takeMailToken(transaction, 'reset password', token);
    await transaction.query({
      text: 'update app_private.credentials set password_hash = $2 where user_id = $1',
      values: [userId, passwordHash],
    });
    await transaction.query({
      text: 'update app_private.sessions set revoked_at = now() where user_id = $1 and revoked_at is null',
      values: [userId],
    });
    await transaction.query(endExternalTokens(userId));
    // The token was sent to the address, so its use proves that the user receives mail there.
    await transaction.query(markVerified(userId));
    await transaction.query(audit('password_reset', origin, { userId }));
  });
}
