import type { Request } from 'express';
import { badInput } from '../../http/problem.ts';
import { audit } from '../audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { hashPassword } from '../passwords/passwords.ts';
import { endSessions } from '../sessions/end.ts';
import { checkPassword, passwordHashOf } from './password.ts';

/**
 * Changes the password of the signed-in user. Ends all other sessions of the user and deletes the user's mail token for
 * a password reset.
 *
 * @throws Problem 400 when the current password is wrong or the account has no password; 429 after too many attempts.
 */
export async function changePassword(
  context: AuthContext,
  request: Request,
  input: { currentPassword: string; newPassword: string },
): Promise<void> {
  const account = asAccount(context, request);
  const oldHash = await passwordHashOf(account);
  if (oldHash === null) {
    throw badInput({
      path: 'currentPassword',
      message: 'this account has no password: it signs in with an external issuer',
    });
  }
  const given = { path: 'currentPassword', value: input.currentPassword, failure: 'password_change_failed' } as const;
  await checkPassword(context, request, oldHash, given);
  const newHash = await hashPassword(input.newPassword, request.cancellation);
  const { userId, sessionId } = signedInUser(request);
  const changed = await account.transaction(async (transaction) => {
    // A reset locks these rows in the same order: the mail token, then the password. Any other order could deadlock.
    await transaction.query({
      text: `delete from app_private.mail_tokens
        where user_id = app_public.current_user_id() and purpose = 'reset password'`,
    });
    const { rowCount } = await transaction.query({
      text: `update app_private.credentials set password_hash = $2
        where user_id = app_public.current_user_id() and password_hash = $1`,
      values: [oldHash, newHash],
    });
    if (rowCount !== 1) return false;
    await endSessions(transaction, sessionId);
    await transaction.query(audit('password_changed', originOf(request), { userId, sessionId }));
    return true;
  });
  // Another request replaced the hash after the check. Check the current password again.
  if (!changed) await changePassword(context, request, input);
}
