import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Statement } from '../../../postgres/statement.ts';
import { badInput, type Problem } from '../../http/problem.ts';
import type { Transaction } from '../../tenancy/tenantDatabase.ts';

/** The lifetime of mail tokens by purpose. */
const lifetimes = { 'reset password': '1 hour', 'verify email': '24 hours' };
type MailPurpose = keyof typeof lifetimes;

/** A token in the request body. A malformed token gets no error of its own: it fails like any wrong token. */
export const mailToken = z.string({ error: 'token is needed' }).trim().max(1000, 'token is too long');

/** Creates a mail token of 256 random bits, and the statement that stores its hash in place of the previous one. */
export function newMailToken(
  purpose: MailPurpose,
  { id, email }: { id: string; email: string },
): { token: string; store: Statement } {
  const token = randomBytes(32).toString('base64url');
  return {
    token,
    store: {
      name: 'new_mail_token',
      text: `insert into app_private.mail_tokens (user_id, purpose, token_hash, email, expires_at)
        values ($1, $2, $3, $4, now() + $5::interval)
        on conflict (user_id, purpose) do update
        set token_hash = excluded.token_hash, email = excluded.email, created_at = now(), expires_at = excluded.expires_at`,
      values: [id, purpose, hashOf(token), email, lifetimes[purpose]],
    },
  };
}

// The account's address must still be the one that the token was sent to.
const isValid = `t.token_hash = $1 and t.purpose = $2 and t.expires_at > now()
  and u.id = t.user_id and u.email = t.email and c.user_id = t.user_id and c.is_active`;

/** Builds the statement that finds a valid token without using it up. */
export function findMailToken(purpose: MailPurpose, token: string): Statement {
  return {
    name: 'find_mail_token',
    text: `select from app_private.mail_tokens t, app_public.users u, app_private.credentials c where ${isValid}`,
    values: [hashOf(token), purpose],
  };
}

/**
 * Uses up the token, in the transaction of the action that it allows.
 *
 * @returns the id of the token's user.
 * @throws Problem 400, the same in all cases: the token is wrong, was used or has expired, or the account's address has
 *   changed.
 */
export async function takeMailToken(transaction: Transaction, purpose: MailPurpose, token: string): Promise<string> {
  const { rows } = await transaction.query<{ user_id: string }>({
    name: 'take_mail_token',
    text: `delete from app_private.mail_tokens t using app_public.users u, app_private.credentials c
      where ${isValid} returning t.user_id`,
    values: [hashOf(token), purpose],
  });
  if (!rows[0]) throw wrongToken();
  return rows[0].user_id;
}

export function wrongToken(): Problem {
  return badInput({ path: 'token', message: 'token is wrong, was used or has expired' });
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(Buffer.from(token, 'base64url')).digest();
}
