import type { IdentifiedClient, Transaction } from '../../tenancy/tenantDatabase.ts';
import { audit } from '../audit.ts';
import type { Origin } from '../origin.ts';
import { hashOf, type RefreshToken } from './refreshToken.ts';

/**
 * Ends the session of a refresh token, which need not be the newest of its family. Does nothing if there is no active
 * session.
 *
 * @param client runs SQL as sign-in.
 */
export function logout(client: IdentifiedClient, { family }: RefreshToken, origin: Origin): Promise<void> {
  return client.transaction(async (transaction) => {
    const { rows } = await transaction.query<{ id: string; user_id: string }>({
      name: 'logout',
      text: `update app_private.sessions set revoked_at = now()
        where family_hash = $1 and revoked_at is null and expires_at > now() returning id, user_id`,
      values: [hashOf(family)],
    });
    const [ended] = rows;
    if (ended) await transaction.query(audit('logged_out', origin, { userId: ended.user_id, sessionId: ended.id }));
  });
}

/**
 * Ends one session of the client's user.
 *
 * @param client runs SQL as that user's account.
 * @returns whether the user had an active session with this id.
 */
export function endSession(
  client: IdentifiedClient,
  { userId, sessionId }: { userId: string; sessionId: string },
  origin: Origin,
): Promise<boolean> {
  return client.transaction(async (transaction) => {
    const { rowCount } = await transaction.query({
      name: 'end_session',
      text: `update app_private.sessions set revoked_at = now()
        where id = $1 and user_id = app_public.current_user_id() and revoked_at is null and expires_at > now()`,
      values: [sessionId],
    });
    if (rowCount !== 1) return false;
    await transaction.query(audit('session_ended', origin, { userId, sessionId }));
    return true;
  });
}

/** Ends all sessions of the transaction's user except `except`. The transaction runs as that user's account. */
export async function endSessions(transaction: Transaction, except?: string): Promise<void> {
  await transaction.query({
    name: 'end_sessions',
    text: `update app_private.sessions set revoked_at = now()
      where user_id = app_public.current_user_id() and revoked_at is null and id is distinct from $1`,
    values: [except ?? null],
  });
}
