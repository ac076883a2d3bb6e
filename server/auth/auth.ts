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
import { clearRegularly } from './rateLimits/expiry.ts';
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
  /** One of the two, or both. */
  readonly jwtSecret?: string | undefined;
  readonly privateKeys?: readonly PrivateJwk[] | undefined;
  readonly externalIssuer?: ExternalIssuer | undefined;
  /** How much more often than usual things may be tried. */
  readonly limitFactor: number;
  readonly mail: MailSettings;
  /** Days that lines of the audit log are kept for; undefined keeps them forever. */
  readonly auditRetentionDays?: number | undefined;
}

/** Sign-in, as the app mounts it. */
export interface Auth {
  /** Everything below `/auth`. */
  readonly routes: RequestHandler;
  /** Answers with the public keys. */
  readonly wellKnown: RequestHandler;
  /** Lets pass who brings a valid access token; 401 for everybody else. */
  readonly signedIn: RequestHandler;
  /** Finds the user of a token that came in a websocket's first message; `undefined` where it is not valid. */
  authenticate(authorization: string): Promise<Express.User | undefined>;
  /** Behind `signedIn`: lets a request pass when it is its user's turn. One for all routes, with one bound of refusals. */
  readonly inTurn: RequestHandler;
  /** Resolves once what runs behind answered requests, and beside them, is done. */
  close(): Promise<void>;
}

export function createAuth(database: Database, settings: AuthSettings, admission: Admission, log: Logger): Auth {
  const keys = keysOf(settings);
  const limits = createRateLimits(database.as(Identity.signIn), settings.limitFactor);
  const stopClearing = clearRegularly(database.as(Identity.signIn), settings.auditRetentionDays, log);
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
    await Promise.all([stopClearing(), mailer.close()]);
  };
  const inTurn = admit(admission, log);
  const routes = authRoutes(context, Router().use(signedIn, inTurn));
  return { routes, wellKnown: wellKnown(keys), signedIn, authenticate, inTurn, close };
}
