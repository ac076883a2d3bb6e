import pg from 'pg';
import type { IdentifiedClient, Transaction } from '../database/database.ts';
import { hashPassword, passwordMatches } from './passwords.ts';
import { Problem } from './problem.ts';
import { newRefreshToken } from './tokens.ts';

/** An account as its owner sees it. */
interface User {
  readonly id: string;
  readonly email: string;
  readonly username: string;
}

/** A session that has just begun, with the only copy of its refresh token. */
export interface SignIn {
  readonly user: User;
  readonly sessionId: string;
  readonly refreshToken: string;
}

/**
 * Creates an account and its first session. The input must have been checked.
 *
 * @param client as sign-in.
 * @throws Problem 409 when the address or the name is taken.
 */
export async function register(
  client: IdentifiedClient,
  { email, username, password }: { email: string; username: string; password: string },
): Promise<SignIn> {
  const passwordHash = await hashPassword(password);
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
      return beginSession(transaction, user);
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
 * Begins a session for the account that the address and the password belong to.
 *
 * @throws Problem 401, the same whether there is no such account, the password is wrong or the account is not active.
 */
export async function login(
  client: IdentifiedClient,
  { email, password }: { email: string; password: string },
): Promise<SignIn> {
  const { rows } = await client.query<User & { password_hash: string; is_active: boolean }>({
    name: 'login',
    text: `select u.id, u.email, u.username, c.password_hash, c.is_active
      from app_public.users u join app_private.credentials c on c.user_id = u.id
      where u.email = $1`,
    values: [email],
  });
  const [found] = rows;
  if (!(await passwordMatches(found?.password_hash, password)) || !found?.is_active) {
    throw new Problem(401, 'The email address or the password is wrong.');
  }
  const { id, username } = found;
  return client.transaction((transaction) => beginSession(transaction, { id, email: found.email, username }));
}

async function beginSession(transaction: Transaction, user: User): Promise<SignIn> {
  const { token, hash } = newRefreshToken();
  const { rows } = await transaction.query<{ id: string }>({
    text: `insert into app_private.sessions (user_id, refresh_token_hash, expires_at)
      values ($1, $2, now() + interval '30 days') returning id`,
    values: [user.id, hash],
  });
  return { user, sessionId: rows[0]?.id as string, refreshToken: token };
}

/** Which field a unique violation is about. Accounts are the one place where a stranger may learn that a value exists. */
function takenField(error: unknown): 'email' | 'username' | undefined {
  if (!(error instanceof pg.DatabaseError) || error.code !== '23505') return undefined;
  return error.constraint === 'users_username_key' ? 'username' : 'email';
}
