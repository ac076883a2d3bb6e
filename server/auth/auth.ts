import { type RequestHandler, Router } from 'express';
import type { Logger } from 'pino';
import { Cancellation } from '../../postgres/cancellation.ts';
import type { Admission } from '../tenancy/admission.ts';
import { admit } from '../tenancy/admit.ts';
import { Identity } from '../tenancy/identity.ts';
import type { Database } from '../tenancy/tenantDatabase.ts';
import type { AuthContext } from './context.ts';
import { createMailer } from './mailer/mailer.ts';
import type { MailSettings } from './mailer/settings.ts';
import type { Origin } from './origin.ts';
import { startCleanup } from './rateLimits/expiry.ts';
import { createRateLimits } from './rateLimits/postgresLimits.ts';
import { authRoutes } from './routes.ts';
import { bearer, tokenVerifier } from './tokens/bearer.ts';
import type { ExternalIssuer } from './tokens/externalIssuer.ts';
import { externalTokens } from './tokens/externalTokens.ts';
import { keysOf } from './tokens/keys.ts';
import { ownTokens } from './tokens/ownTokens.ts';
import type { PrivateJwk } from './tokens/privateKeys.ts';
import { RefusalLog } from './tokens/refusals.ts';
import { wellKnown } from './tokens/wellKnown.ts';

/** The configuration of the auth routes. */
export interface AuthSettings {
  /** The signing keys: `jwtSecret`, `privateKeys` or both. */
  readonly jwtSecret?: string | undefined;
  readonly privateKeys?: readonly PrivateJwk[] | undefined;
  readonly externalIssuer?: ExternalIssuer | undefined;
  /** Multiplies the number of attempts that each rate limit allows. */
  readonly limitFactor: number;
  readonly mail: MailSettings;
  /** Days to keep audit log entries; `undefined` keeps them forever. */
  readonly auditRetentionDays?: number | undefined;
}

/** The handlers and functions of authentication that the app mounts. */
export interface Auth {
  /** All routes below `/auth`. */
  readonly routes: RequestHandler;
  /** The dependencies of the routes, for routes of other parts that manage accounts. */
  readonly context: AuthContext;
  /** Responds with the public keys. */
  readonly wellKnown: RequestHandler;
  /** Passes on requests with a valid access token; responds 401 to all others. */
  readonly signedIn: RequestHandler;
  /** Finds the user of the token in a WebSocket's first message; `undefined` for an invalid token. */
  authenticate(authorization: string): Promise<Express.User | undefined>;
  /** Waits for the turn of the request's user. Mount it after `signedIn`. All routes share it, and its limit of refusals. */
  readonly inTurn: RequestHandler;
  /** Stops the mailer and the cleanup of expired rows. Resolves when all background work has finished. */
  close(): Promise<void>;
}

/** Creates the auth routes, and starts the mailer and the regular cleanup of expired rows. */
export function createAuth(database: Database, settings: AuthSettings, admission: Admission, log: Logger): Auth {
  const keys = keysOf(settings);
  const limits = createRateLimits(database.as(Identity.signIn), settings.limitFactor);
  const stopCleanup = startCleanup(database.as(Identity.signIn), settings.auditRetentionDays, log);
  const mailer = createMailer(settings.mail, log);
  const context: AuthContext = { database, keys, limits, mailer };
  const { externalIssuer } = settings;
  const refusals = new RefusalLog(log);
  const external = externalIssuer && externalTokens(context, externalIssuer, log, refusals);
  const tokens = tokenVerifier(ownTokens(keys, refusals), external, refusals);
  const signedIn = bearer(tokens);
  const noOrigin: Origin = { address: undefined, userAgent: undefined };
  const authenticate: Auth['authenticate'] = async (authorization) =>
    tokens.remembered(authorization) ??
    tokens.verify(authorization, { cancellation: new Cancellation(), origin: () => noOrigin });
  const close = async () => {
    await Promise.all([stopCleanup(), mailer.close()]);
  };
  const inTurn = admit(admission, log);
  const routes = authRoutes(context, Router().use(signedIn, inTurn));
  return { routes, context, wellKnown: wellKnown(keys), signedIn, authenticate, inTurn, close };
}
