import type { Request } from 'express';
import { Identity } from '../tenancy/identity.ts';
import type { Database, IdentifiedClient } from '../tenancy/tenantDatabase.ts';
import type { Outbox } from './mailer/outbox.ts';
import type { Limits } from './rateLimits/rateLimits.ts';
import type { Keys } from './tokens/keys.ts';

/** What the routes of sign-in work with. */
export interface AuthContext {
  readonly database: Database;
  readonly keys: Keys;
  readonly limits: Limits;
  readonly outbox: Outbox;
}

/** SQL as sign-in, for one request. */
export function asSignIn({ database }: AuthContext, { cancellation }: Pick<Request, 'cancellation'>): IdentifiedClient {
  return database.as(Identity.signIn, { cancellation });
}

/** SQL as sign-in on behalf of the signed-in user; refused, which is a 401, once the session has ended. */
export function asAccount(
  { database }: AuthContext,
  request: Request,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): IdentifiedClient {
  return database.as(signedInUser(request).account, { cancellation: request.cancellation, readOnly });
}

/** Who sent a request that `bearer` let pass. */
export function signedInUser({ user }: Request): Express.User {
  return user as Express.User;
}
