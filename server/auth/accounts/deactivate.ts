import type { Request } from 'express';
import { audit } from '../audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { endSessions } from '../sessions/end.ts';
import { endExternalTokens } from './externalUser.ts';
import { confirmOwner } from './password.ts';

/**
 * Closes the signed-in user's account, with all that is in it, until the operator opens it again. All of their sessions
 * end.
 *
 * @throws Problem as confirmOwner.
 */
export async function deactivate(context: AuthContext, request: Request, password?: string): Promise<void> {
  const passwordHash = await confirmOwner(context, request, password);
  const { userId, sessionId } = signedInUser(request);
  const done = await asAccount(context, request).transaction(async (transaction) => {
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
  // The password was changed in the meantime.
  if (!done) await deactivate(context, request, password);
}
