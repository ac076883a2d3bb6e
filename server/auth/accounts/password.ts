import type { Request } from 'express';
import { badInput, Problem } from '../../http/problem.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';
import { type AuditEvent, audit } from '../audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { passwordMatches } from '../passwords/passwords.ts';
import { refuseWhenFull } from '../passwords/queue.ts';

/** The hash of the account's password; null where it has none, because it signs in with another issuer. */
export async function passwordHashOf(account: IdentifiedClient): Promise<string | null> {
  const { rows } = await account.query<{ password_hash: string | null }>({
    name: 'password_hash',
    text: 'select password_hash from app_private.credentials where user_id = app_public.current_user_id()',
  });
  return rows[0]?.password_hash ?? null;
}

/** A password as a field of the body, and what the audit log says where it is wrong. */
interface GivenPassword {
  readonly path: 'currentPassword' | 'password';
  readonly value: string;
  readonly failure: AuditEvent;
}

/**
 * Checks the password that the signed-in user gives once more. No connection is held while it is hashed: what then
 * changes the account must ask whether the hash is still the one that was checked.
 *
 * @throws Problem 400 when it is wrong, and not 401: the access token is good. 429 when it was tried too often. 503 when
 *   too many passwords are being checked.
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

/** Seconds that a token of another issuer may be old to stand in for a password. */
const freshFor = 5 * 60;

/**
 * Makes sure that it is the owner who asks: by the password or, where the account has none, by a token that was issued
 * just now.
 *
 * @returns the hash that was checked, as in `checkPassword`.
 * @throws Problem 400 and 429 as `checkPassword`; 403 when the token is too old.
 */
export async function confirmOwner(context: AuthContext, request: Request, password?: string): Promise<string | null> {
  const passwordHash = await passwordHashOf(asAccount(context, request));
  if (passwordHash === null) {
    if (Date.now() - signedInUser(request).issuedAt <= freshFor * 1000) return null;
    throw new Problem(403, 'Sign in again first: this needs a token that is at most five minutes old.');
  }
  if (password === undefined) throw badInput({ path: 'password', message: 'password is needed' });
  const given = { path: 'password', value: password, failure: 'password_check_failed' } as const;
  await checkPassword(context, request, passwordHash, given);
  return passwordHash;
}
