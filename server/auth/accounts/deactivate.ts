import type { Request } from 'express';
import { audit } from '../audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { endSessions } from '../sessions/end.ts';
import { endExternalTokens } from './externalUser.ts';
import { confirmOwner } from './password.ts';

/**
 * Deactivates the signed-in user's account. Its data stays, unreachable, until the operator activates the account again.
 * Ends all sessions and external tokens of the user.
 *
 * @throws Problem see `confirmOwner`.
 */
export async function deactivate(context: AuthContext, request: Request, password?: string): Promise<void> {
  const passwordHash = await confirmOwner(context, request, password);
  const { userId, sessionId } = signedInUser(request);
  const deactivated = await asAccount(context, request).transaction(async (transaction) => {
    const { rowCount } = await transaction.query({
      text: `update app_private.credentials set is_active = false
        where user_id = app_public.current_user_id() and password_hash is not distinct from $1`,
      values: [passwordHash],
    });
    if (rowCount !== 1) return false;
    await endSessions(transaction);
    await transaction.query(endExternalTokens(userId));
    await transaction.query(audit('account_deactivated', originOf(request), { userId, sessionId }));
    return true;
  });
  // Another request changed the password after the check.
  if (!deactivated) await deactivate(context, request, password);
}
