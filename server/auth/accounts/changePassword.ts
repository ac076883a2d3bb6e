import type { Request } from 'express';
import { badInput } from '../../http/problem.ts';
import { audit } from '../audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { hashPassword } from '../passwords/passwords.ts';
import { endSessions } from '../sessions/end.ts';
import { checkPassword, passwordHashOf } from './password.ts';

/**
 * Gives the signed-in user's account a new password. Every other session of theirs ends, and so does a password reset
 * that was asked for.
 *
 * @throws Problem 400 when the current password is wrong or there is none; 429.
 */
export async function changePassword(
  context: AuthContext,
  request: Request,
  input: { currentPassword: string; newPassword: string },
): Promise<void> {
  const account = asAccount(context, request);
  const oldHash = await passwordHashOf(account);
  if (oldHash === null) {
    throw badInput({ path: 'currentPassword', message: 'this account has no password: it signs in elsewhere' });
  }
  const given = { path: 'currentPassword', value: input.currentPassword, failure: 'password_change_failed' } as const;
  await checkPassword(context, request, oldHash, given);
  const newHash = await hashPassword(input.newPassword, request.cancellation);
  const { userId, sessionId } = signedInUser(request);
  const changed = await account.transaction(async (transaction) => {
    // Before the password, as a reset does: the other way round each could wait for the other.
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
  // The hash was replaced in the meantime: what was checked is not what holds now.
  if (!changed) await changePassword(context, request, input);
}
