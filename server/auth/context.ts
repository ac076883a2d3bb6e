import type { Request } from 'express';
import type { Database, IdentifiedClient } from '../database/database.ts';
import { Identity } from '../database/identity.ts';
import type { Limits } from './limits/limits.ts';
import type { Outbox } from './mail/outbox.ts';
import type { Keys } from './tokens/keys.ts';

/** What the routes of sign-in work with. */
export interface AuthContext {
  readonly database: Database;
  readonly keys: Keys;
  readonly limits: Limits;
  readonly outbox: Outbox;
}

/** SQL as sign-in, for one request. */
export function asSignIn({ database }: AuthContext, { cancellation }: Request): IdentifiedClient {
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
