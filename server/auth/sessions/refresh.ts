import { Problem } from '../../http/problem.ts';
import type { IdentifiedClient, Transaction } from '../../tenancy/tenantDatabase.ts';
import { audit } from '../audit.ts';
import type { Origin } from '../origin.ts';
import type { SignIn, User } from './begin.ts';
import { hashOf, newRefreshToken, printRefreshToken, type RefreshToken, sealWith } from './refreshToken.ts';

/**
 * The session family of a presented refresh token, and the token's place in it. A token of a family starts as the newest.
 * A refresh makes it the previous one, which is tolerated for `toleratedFor` seconds. After that, its use is a replay and
 * ends the session.
 */
interface Family extends User {
  readonly session_id: string;
  /** The session has not ended, and its user is active. */
  readonly active: boolean;
  readonly is_newest: boolean;
  /** The token was the newest until moments ago. The response was lost, or a parallel request is receiving it. */
  readonly is_tolerated: boolean;
  readonly sealed_successor: Buffer | null;
}

/**
 * Seconds for which the previous token gets the same successor again. This is several times the deadline of a request
 * (10 s): a client notices a lost response only at the deadline, and its retry must still succeed.
 */
const toleratedFor = 60;

/**
 * Refreshes the session of `token`. The newest token of the family gets a successor. The previous token gets the same
 * successor again for `toleratedFor` seconds. Any other token means that it, or the newest token, was stolen; the session
 * ends.
 *
 * @param client runs SQL as sign-in.
 * @throws Problem 401, the same for every invalid token.
 */
export async function refresh(client: IdentifiedClient, token: RefreshToken, origin: Origin): Promise<SignIn> {
  // A replay must not throw here. The transaction that ends the session has to commit.
  const signIn = await client.transaction(async (transaction) => {
    const family = await lockFamily(transaction, token);
    if (!family?.active) return undefined;
    if (family.is_newest) return signInOf(family, await rotate(transaction, token));
    if (family.is_tolerated && family.sealed_successor) {
      return signInOf(family, { ...token, secret: sealWith(token.secret, family.sealed_successor) });
    }
    await endReplayed(transaction, family, origin);
    return undefined;
  });
  if (!signIn) throw refreshRefused();
  return signIn;
}

/** Creates the only error for refresh tokens. It does not reveal what is wrong with the token. */
export function refreshRefused(): Problem {
  return new Problem(401, 'The refresh token is invalid or has expired. Sign in again.');
}

/** Locks and reads the family, so that requests with tokens of one family run one after another. */
async function lockFamily(transaction: Transaction, { family, secret }: RefreshToken): Promise<Family | undefined> {
  const { rows } = await transaction.query<Family>({
    name: 'lock_family',
    text: `select u.id, u.email, u.username, s.id as session_id,
        s.revoked_at is null and s.expires_at > now() and c.is_active as active,
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

async function endReplayed(transaction: Transaction, { id, session_id }: Family, origin: Origin): Promise<void> {
  await transaction.query({
    text: 'update app_private.sessions set revoked_at = now() where id = $1',
    values: [session_id],
  });
  await transaction.query(audit('refresh_token_replayed', origin, { userId: id, sessionId: session_id }));
}

function signInOf({ id, email, username, session_id }: Family, token: RefreshToken): SignIn {
  return { user: { id, email, username }, sessionId: session_id, refreshToken: printRefreshToken(token) };
}
