import type { Statement } from '../../../postgres/statement.ts';
import { Identity } from '../../tenancy/identity.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';
import { audit } from '../audit.ts';
import type { AuthContext } from '../context.ts';
import type { Origin } from '../origin.ts';
import { newMailToken, takeMailToken } from './mailTokens.ts';
import { verifyMessage } from './messages.ts';

/** Mails a token that verifies the user's address, in the background. Does nothing if mail is unavailable. */
export function sendVerification({ database, mailer }: AuthContext, user: { id: string; email: string }): void {
  if (!mailer.available || user.email.endsWith('.invalid')) return;
  mailer.post(async () => {
    const { token, store } = newMailToken('verify email', user);
    await database.as(Identity.signIn).query(store);
    return verifyMessage({ to: user.email, token, appUrl: mailer.appUrl });
  });
}

/**
 * Marks the address of the token's user as verified.
 *
 * @param client runs SQL as sign-in.
 * @throws Problem 400 when the token is not valid.
 */
export async function verifyEmail(client: IdentifiedClient, token: string, origin: Origin): Promise<void> {
  await client.transaction(async (transaction) => {
    const userId = await takeMailToken(transaction, 'verify email', token);
    await transaction.query(markVerified(userId));
    await transaction.query(audit('email_verified', origin, { userId }));
  });
}

/** Builds the statement that marks the user's address as verified. It keeps the time of the first verification. */
export function markVerified(userId: string): Statement {
  return {
    text: 'update app_public.users set email_verified_at = now() where id = $1 and email_verified_at is null',
    values: [userId],
  };
}
