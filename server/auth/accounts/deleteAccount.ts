import type { Request } from 'express';
import { audit } from '../audit.ts';
import { type AuthContext, allowManyRows, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { endMemberships } from './endMemberships.ts';
import { confirmOwner } from './password.ts';

/**
 * Deletes the signed-in user, all rows of the user, and organizations without another member. Only the audit log keeps its
 * entries.
 *
 * @throws Problem see `confirmOwner` and `endMemberships`.
 */
export async function deleteAccount(context: AuthContext, request: Request, password?: string): Promise<void> {
  const passwordHash = await confirmOwner(context, request, password);
  const { userId, sessionId } = signedInUser(request);
  const deleted = await asAccount(context, request).transaction(async (transaction) => {
    await allowManyRows(transaction, request);
    // Deleting the user's row cascades to these rows, but in another order than a password reset or a login locks them.
    // Explicit deletes in their order prevent a deadlock.
    await transaction.query({
      text: 'delete from app_private.mail_tokens where user_id = app_public.current_user_id()',
    });
    const { rowCount } = await transaction.query({
      text: `delete from app_private.credentials
        where user_id = app_public.current_user_id() and password_hash is not distinct from $1`,
      values: [passwordHash],
    });
    if (rowCount !== 1) return false;
    const origin = originOf(request);
    await endMemberships(transaction, origin, { userId, sessionId });
    await transaction.query({ text: 'delete from app_public.users where id = app_public.current_user_id()' });
    await transaction.query(audit('account_deleted', origin, { userId, sessionId }));
    return true;
  });
  // Another request changed the password after the check.
  if (!deleted) await deleteAccount(context, request, password);
}
