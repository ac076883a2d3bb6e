import pg from 'pg';
import type { Cancellation } from '../../../postgres/cancellation.ts';
import { Problem } from '../../http/problem.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';
import { audit } from '../audit.ts';
import type { Origin } from '../origin.ts';
import { hashPassword } from '../passwords/passwords.ts';
import { beginSession, type SignIn, type User } from '../sessions/begin.ts';

/**
 * Creates an account and its first session. The caller validates the input.
 *
 * @param client runs SQL as sign-in.
 * @throws Problem 409 when the address or the name is taken; 503 when too many passwords are being hashed.
 */
export async function register(
  client: IdentifiedClient,
  { email, username, password }: { email: string; username: string; password: string },
  origin: Origin,
  cancellation?: Cancellation,
): Promise<SignIn> {
  const passwordHash = await hashPassword(password, cancellation);
  try {
    return await client.transaction(async (transaction) => {
      const { rows } = await transaction.query<User>({
        text: 'insert into app_public.users (email, username) values ($1, $2) returning id, email, username',
        values: [email, username],
      });
      const user = rows[0] as User;
      await transaction.query({
        text: 'insert into app_private.credentials (user_id, password_hash) values ($1, $2)',
        values: [user.id, passwordHash],
      });
      const signIn = await beginSession(transaction, user, origin);
      await transaction.query(audit('registered', origin, { userId: user.id, sessionId: signIn.sessionId }));
      return signIn;
    });
  } catch (error) {
    const field = takenField(error);
    if (field)
      throw new Problem(409, `This ${field} is taken.`, {
        errors: [{ path: field, message: `this ${field} is taken` }],
      });
    throw error;
  }
}

/**
 * Names the field of a unique violation. Registration is the only place that reveals to an unauthenticated client that a
 * value exists.
 */
function takenField(error: unknown): 'email' | 'username' | undefined {
  if (!(error instanceof pg.DatabaseError) || error.code !== '23505') return undefined;
  return error.constraint === 'users_username_key' ? 'username' : 'email';
}
