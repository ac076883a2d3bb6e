import type { Cancellation } from '../../../postgres/cancellation.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';
import { endExternalTokens } from '../accounts/externalUser.ts';
import { audit } from '../audit.ts';
import type { Origin } from '../origin.ts';
import { hashPassword } from '../passwords/passwords.ts';
import { findMailToken, takeMailToken, wrongToken } from './mailTokens.ts';
import { markVerified } from './verifyEmail.ts';

/**
 * Sets a new password for whom the token was sent to, and ends all of their sessions.
 *
 * @param client as sign-in.
 * @throws Problem 400 when the token is not good; of two that come at once, for one of them.
 */
export async function resetPassword(
  client: IdentifiedClient,
  { token, newPassword }: { token: string; newPassword: string },
  origin: Origin,
  cancellation: Cancellation,
): Promise<void> {
  // Asked first, and not only taken: hashing is dear, and no stranger may have it for nothing.
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
    // Who reads the mail of the address has it.
    await transaction.query(markVerified(userId));
    await transaction.query(audit('password_reset', origin, { userId }));
  });
}
