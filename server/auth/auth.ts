import { type RequestHandler, Router } from 'express';
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { Identity } from '../database/identity.ts';
import type { Admission } from '../tenancy/admission.ts';
import { admit } from '../tenancy/admit.ts';
import type { AuthContext } from './context.ts';
import { clearRegularly } from './limits/expiry.ts';
import { createLimits } from './limits/postgresLimits.ts';
import { createOutbox } from './mail/outbox.ts';
import type { MailSettings } from './mail/settings.ts';
import { authRoutes } from './routes.ts';
import { bearer } from './tokens/bearer.ts';
import type { ExternalIssuer } from './tokens/externalIssuer.ts';
import { externalTokens } from './tokens/externalTokens.ts';
import { keysOf } from './tokens/keys.ts';
import { ownTokens } from './tokens/ownTokens.ts';
import type { PrivateJwk } from './tokens/privateKeys.ts';
import { RefusalLog } from './tokens/refusals.ts';
import { wellKnown } from './tokens/wellKnown.ts';

/** What sign-in takes from the configuration. */
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
  /** Behind `signedIn`: lets a request pass when it is its user's turn. One for all routes, with one bound of refusals. */
  readonly inTurn: RequestHandler;
  /** Resolves once what runs behind answered requests, and beside them, is done. */
  close(): Promise<void>;
}

export function createAuth(database: Database, settings: AuthSettings, admission: Admission, log: Logger): Auth {
  const keys = keysOf(settings);
  const limits = createLimits(database.as(Identity.signIn), settings.limitFactor);
  const stopClearing = clearRegularly(database.as(Identity.signIn), settings.auditRetentionDays, log);
  const outbox = createOutbox(settings.mail, log);
  const context: AuthContext = { database, keys, limits, outbox };
  const { externalIssuer } = settings;
  const refusals = new RefusalLog(log);
  const external = externalIssuer && externalTokens(context, externalIssuer, log, refusals);
  const signedIn = bearer(ownTokens(keys, refusals), external, refusals);
  const close = async () => {
    await Promise.all([stopClearing(), outbox.close()]);
  };
  const inTurn = admit(admission, log);
  const routes = authRoutes(context, Router().use(signedIn, inTurn));
  return { routes, wellKnown: wellKnown(keys), signedIn, inTurn, close };
}
