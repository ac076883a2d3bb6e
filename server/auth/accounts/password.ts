import type { Request } from 'express';
import { badInput, Problem } from '../../http/problem.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';
import { type AuditEvent, audit } from '../audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { passwordMatches } from '../passwords/passwords.ts';
import { refuseWhenFull } from '../passwords/queue.ts';

/** Reads the hash of the account's password. It is `null` for an account that signs in with an external issuer. */
export async function passwordHashOf(account: IdentifiedClient): Promise<string | null> {
  const { rows } = await account.query<{ password_hash: string | null }>({
    name: 'password_hash',
    text: 'select password_hash from app_private.credentials where user_id = app_public.current_user_id()',
  });
  return rows[0]?.password_hash ?? null;
}

/** A password in the request body, and the audit event that a wrong one causes. */
interface GivenPassword {
  readonly path: 'currentPassword' | 'password';
  readonly value: string;
  readonly failure: AuditEvent;
}

/**
 * Checks the password with which the signed-in user confirms an action. It holds no connection while hashing, so the
 * statement that changes the account must compare the hash again.
 *
 * @throws Problem 400 when the password is wrong (not 401, because the access token is valid); 429 after too many
 *   attempts; 503 when too many passwords are being checked.
 */
export async function checkPassword(
  context: AuthContext,
  request: Request,
  passwordHash: string,
  { path, value, failure }: GivenPassword,
): Promise<void> {
  const { userId, sessionId } = signedInUser(request);
  const origin = originOf(request);
  refuseWhenFull();
  await context.limits.count('password', origin, userId);
  if (!(await passwordMatches(passwordHash, value, request.cancellation))) {
    await asAccount(context, request).query(audit(failure, origin, { userId, sessionId }));
    throw badInput({ path, message: `${path} is wrong` });
  }
  await context.limits.forgive('password', origin, userId);
}

/** The maximum age, in seconds, of an external token that replaces a password as confirmation. */
const maxTokenAge = 5 * 60;

/**
 * Confirms that the request comes from the owner of the account. The password confirms it; for an account without a
 * password, a recently issued token does.
 *
 * @returns the hash that was checked. The statement that changes the account must compare it again.
 * @throws Problem 403 when the token is too old; otherwise see `checkPassword`.
 */
export async function confirmOwner(context: AuthContext, request: Request, password?: string): Promise<string | null> {
  const passwordHash = await passwordHashOf(asAccount(context, request));
  if (passwordHash === null) {
    if (Date.now() - signedInUser(request).issuedAt <= maxTokenAge * 1000) return null;
    throw new Problem(403, 'Sign in again first: this needs a token that is at most five minutes old.');
  }
  if (password === undefined) throw badInput({ path: 'password', message: 'password is needed' });
  const given = { path: 'password', value: password, failure: 'password_check_failed' } as const;
  await checkPassword(context, request, passwordHash, given);
  return passwordHash;
}
