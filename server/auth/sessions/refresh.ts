import { Problem } from '../../http/problem.ts';
import type { IdentifiedClient, Transaction } from '../../tenancy/tenantDatabase.ts';
import { audit } from '../audit.ts';
import type { Origin } from '../origin.ts';
import type { SignIn, User } from './begin.ts';
import { hashOf, newRefreshToken, printRefreshToken, type RefreshToken, sealWith } from './refreshToken.ts';

/** The family of a token that was presented, and what the token is to it. */
interface Family extends User {
  readonly session_id: string;
  /** The session has not ended, and its user is active. */
  readonly lives: boolean;
  readonly is_newest: boolean;
  /** It was the newest until a moment ago: its answer may have been lost, or is on its way to a parallel request. */
  readonly is_tolerated: boolean;
  readonly sealed_successor: Buffer | null;
}

/**
 * Seconds for which the previous token gets the same successor again. Several times a request's deadline (10 s): a client
 * whose answer was lost notices that only at the deadline, and its retry must still be accepted.
 */
const toleratedFor = 60;

/**
 * Goes on with the session that `token` belongs to. The newest token of a family is replaced. The one before it gets the
 * same successor again for `toleratedFor` seconds. Any other was stolen, or the newest was: the session ends.
 *
 * @param client as sign-in.
 * @throws Problem 401, the same whatever is wrong with the token.
 */
export async function refresh(client: IdentifiedClient, token: RefreshToken, origin: Origin): Promise<SignIn> {
  // A replay resolves too, so that what it ended is committed.
  const signIn = await client.transaction(async (transaction) => {
    const family = await lockFamily(transaction, token);
    if (!family?.lives) return undefined;
    if (family.is_newest) return goOn(family, await rotate(transaction, token));
    if (family.is_tolerated && family.sealed_successor) {
      return goOn(family, { ...token, secret: sealWith(token.secret, family.sealed_successor) });
    }
    await end(transaction, family, origin);
    return undefined;
  });
  if (!signIn) throw refreshRefused();
  return signIn;
}

/** The one answer for whatever is no living session's refresh token. */
export function refreshRefused(): Problem {
  return new Problem(401, 'The refresh token is not valid, or not any more. Sign in again.');
}

/** Requests with tokens of one family come here one after the other, and each sees what the one before it has done. */
async function lockFamily(transaction: Transaction, { family, secret }: RefreshToken): Promise<Family | undefined> {
  const { rows } = await transaction.query<Family>({
    name: 'lock_family',
    text: `select u.id, u.email, u.username, s.id as session_id,
        s.revoked_at is null and s.expires_at > now() and c.is_active as lives,
        s.refresh_token_hash = $2 as is_newest,
        coalesce(s.previous_token_hash = $2 and s.rotated_at > now() - make_interval(secs => $3), false) as is_tolerated,
        s.sealed_successor
      from app_private.sessions s
      join app_private.credentials c on c.user_id = s.user_id
      join app_public.users u on u.id = s.user_id
      where s.family_hash = $1
      for update of s`,
    values: [hashOf(family), hashOf(secret), toleratedFor],
  });
  return rows[0];
}

async function rotate(transaction: Transaction, parent: RefreshToken): Promise<RefreshToken> {
  const successor = newRefreshToken(parent.family);
  await transaction.query({
    name: 'rotate_refresh_token',
    text: `update app_private.sessions set refresh_token_hash = $2, previous_token_hash = refresh_token_hash,
        sealed_successor = $3, rotated_at = now(), last_used_at = now()
      where family_hash = $1`,
    values: [hashOf(parent.family), hashOf(successor.secret), sealWith(parent.secret, successor.secret)],
  });
  return successor;
}

async function end(transaction: Transaction, { id, session_id }: Family, origin: Origin): Promise<void> {
  await transaction.query({
    text: 'update app_private.sessions set revoked_at = now() where id = $1',
    values: [session_id],
  });
  await transaction.query(audit('refresh_token_replayed', origin, { userId: id, sessionId: session_id }));
}

function goOn({ id, email, username, session_id }: Family, token: RefreshToken): SignIn {
  return { user: { id, email, username }, sessionId: session_id, refreshToken: printRefreshToken(token) };
}
