import type { Transaction } from '../../tenancy/tenantDatabase.ts';
import type { Origin } from '../origin.ts';
import { hashOf, newRefreshToken, printRefreshToken } from './refreshToken.ts';

/** An account as its owner sees it. */
export interface User {
  readonly id: string;
  readonly email: string;
  readonly username: string;
}

/** A session after sign-in or refresh, with the only copy of its refresh token. */
export interface SignIn {
  readonly user: User;
  readonly sessionId: string;
  readonly refreshToken: string;
}

/**
 * Begins a session of the user. The session ends after 30 days, no matter how often it is refreshed. To limit their
 * number, this also deletes sessions of the user that ended more than a day ago.
 */
export async function beginSession(
  transaction: Transaction,
  user: User,
  { address, userAgent }: Origin,
): Promise<SignIn> {
  // `skip locked` leaves rows to a concurrent sign-in that is deleting them, so that neither waits.
  await transaction.query({
    name: 'remove_ended_sessions',
    text: `delete from app_private.sessions where id in (
      select id from app_private.sessions
      where user_id = $1 and least(expires_at, revoked_at) < now() - interval '1 day' for update skip locked)`,
    values: [user.id],
  });
  const token = newRefreshToken();
  const { rows } = await transaction.query<{ id: string }>({
    name: 'begin_session',
    text: `insert into app_private.sessions (user_id, family_hash, refresh_token_hash, expires_at, address, user_agent)
      values ($1, $2, $3, now() + interval '30 days', $4, $5) returning id`,
    values: [user.id, hashOf(token.family), hashOf(token.secret), address ?? null, userAgent ?? null],
  });
  return { user, sessionId: rows[0]?.id as string, refreshToken: printRefreshToken(token) };
}
