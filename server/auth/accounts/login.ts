import type { Cancellation } from '../../../postgres/cancellation.ts';
import { Problem } from '../../http/problem.ts';
import type { IdentifiedClient, Transaction } from '../../tenancy/tenantDatabase.ts';
import { audit } from '../audit.ts';
import type { Origin } from '../origin.ts';
import { passwordMatches } from '../passwords/passwords.ts';
import { rehash } from '../passwords/rehash.ts';
import { beginSession, type SignIn, type User } from '../sessions/begin.ts';

/**
 * Begins a session for the account with this address and password.
 *
 * @param client runs SQL as sign-in.
 * @throws Problem 401. It is the same for an unknown address, a wrong password and an inactive account.
 */
export async function login(
  client: IdentifiedClient,
  { email, password }: { email: string; password: string },
  origin: Origin,
  cancellation?: Cancellation,
): Promise<SignIn> {
  const { rows } = await client.query<User & { password_hash: string | null; is_active: boolean }>({
    name: 'login',
    text: `select u.id, u.email, u.username, c.password_hash, c.is_active
      from app_public.users u join app_private.credentials c on c.user_id = u.id
      where u.email = $1`,
    values: [email],
  });
  const [found] = rows;
  const matches = await passwordMatches(found?.password_hash, password, cancellation);
  if (!matches || !found?.password_hash || !found.is_active) {
    // Unknown accounts get an entry too. A difference in timing would reveal whether the account exists.
    await client.query(audit('login_failed', origin, { userId: found?.id }));
    throw new Problem(401, 'The email address or the password is wrong.');
  }
  const { id, username, password_hash } = found;
  const passwordHash = await rehash(client, { userId: id, passwordHash: password_hash, password }, cancellation);
  const signIn = await client.transaction(async (transaction) => {
    if (!(await lockCredentials(transaction, id, passwordHash))) return undefined;
    const user = { id, email: found.email, username };
    const signIn = await beginSession(transaction, user, origin);
    await transaction.query(audit('logged_in', origin, { userId: user.id, sessionId: signIn.sessionId }));
    return signIn;
  });
  return signIn ?? login(client, { email, password }, origin, cancellation);
}

/**
 * Locks the credentials, so that until the transaction ends the password cannot change and the account stays active. A
 * password change ends only the sessions that it sees: without the lock, a session that begins concurrently survives it.
 *
 * @returns whether the hash is still the one that was checked and the account is still active.
 */
async function lockCredentials(transaction: Transaction, userId: string, passwordHash: string): Promise<boolean> {
  const { rowCount } = await transaction.query({
    name: 'keep_password',
    text: `select from app_private.credentials where user_id = $1 and password_hash = $2 and is_active for share`,
    values: [userId, passwordHash],
  });
  return rowCount === 1;
}
