import type { Request } from 'express';
import { audit } from '../audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { confirmOwner } from './password.ts';

/**
 * Deletes the signed-in user with everything that is theirs. What is left is what the audit log says.
 *
 * @throws Problem as confirmOwner.
 */
export async function deleteAccount(context: AuthContext, request: Request, password?: string): Promise<void> {
  const passwordHash = await confirmOwner(context, request, password);
  const { userId, sessionId } = signedInUser(request);
  const done = await asAccount(context, request).transaction(async (transaction) => {
    // The user's row would take these with it, but in another order than a password reset, and then a login, locks them:
    // each could wait for the other.
    await transaction.query({
      text: 'delete from app_private.mail_tokens where user_id = app_public.current_user_id()',
    });
    const { rowCount } = await transaction.query({
      text: `delete from app_private.credentials
        where user_id = app_public.current_user_id() and password_hash is not distinct from $1`,
      values: [passwordHash],
    });
    if (rowCount !== 1) return false;
    await transaction.query({ text: 'delete from app_public.users where id = app_public.current_user_id()' });
    await transaction.query(audit('account_deleted', originOf(request), { userId, sessionId }));
    return true;
  });
  // The password was changed in the meantime.
  if (!done) await deleteAccount(context, request, password);
}
