import type { Request } from 'express';
import { Identity } from '../tenancy/identity.ts';
import type { Database, IdentifiedClient, Transaction } from '../tenancy/tenantDatabase.ts';
import type { Mailer } from './mailer/mailer.ts';
import type { RateLimits } from './rateLimits/rateLimits.ts';
import type { Keys } from './tokens/keys.ts';

/** The dependencies of the auth routes. */
export interface AuthContext {
  readonly database: Database;
  readonly keys: Keys;
  readonly limits: RateLimits;
  readonly mailer: Mailer;
}

/** Returns a client that runs SQL as sign-in, and stops when the request is canceled. */
export function asSignIn({ database }: AuthContext, { cancellation }: Pick<Request, 'cancellation'>): IdentifiedClient {
  return database.as(Identity.signIn, { cancellation });
}

/** Returns a client that runs SQL as sign-in for the signed-in user. It fails with 401 when the session has ended. */
export function asAccount(
  { database }: AuthContext,
  request: Request,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): IdentifiedClient {
  return database.as(signedInUser(request).account, { cancellation: request.cancellation, readOnly });
}

/** Returns the user of a request that `bearer` accepted. */
export function signedInUser({ user }: Request): Express.User {
  return user as Express.User;
}

/**
 * Gives the transaction two minutes. Deleting a user, a member or an organization also changes the rows that refer to it, and
 * users decide how many these are.
 */
export async function allowManyRows(
  { query }: Transaction,
  { cancellation }: Pick<Request, 'cancellation'>,
): Promise<void> {
  cancellation.expireIn(120);
  await query({ name: 'long_statement', text: "select set_config('statement_timeout', '120s', true)", discard: true });
}
