import type { Transaction } from '../../tenancy/tenantDatabase.ts';
import type { Origin } from '../origin.ts';
import { hashOf, newRefreshToken, printRefreshToken } from './refreshToken.ts';

/** An account as its owner sees it. */
export interface User {
  readonly id: string;
  readonly email: string;
  readonly username: string;
}

/** A session that has just begun or gone on, with the only copy of its refresh token. */
export interface SignIn {
  readonly user: User;
  readonly sessionId: string;
  readonly refreshToken: string;
}

/**
 * Begins a session of the user. It ends 30 days later at the latest, however often it is refreshed. The user's sessions
 * that ended more than a day ago are removed, so that they do not pile up.
 */
export async function beginSession(
  transaction: Transaction,
  user: User,
  { address, userAgent }: Origin,
): Promise<SignIn> {
  // A row that another sign-in is removing just now is left to it: neither waits for the other.
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
