import express, { type Express, Router } from 'express';
import type { Logger } from 'pino';
import { actForHeader } from './auth/actFor.ts';
import type { Auth } from './auth/auth.ts';
import { passwordMetrics } from './auth/passwords/queue.ts';
import type { Config } from './config.ts';
import type { GraphQLApi } from './graphql/api.ts';
import { liveMetrics } from './graphql/live/metrics.ts';
import { jsonBody, parseBody, readBody } from './http/body.ts';
import { crossOrigin } from './http/crossOrigin.ts';
import { deadline } from './http/deadline.ts';
import { createMetrics } from './http/metrics.ts';
import { notFound, problem } from './http/problemResponse.ts';
import { requestLog } from './http/requestLog.ts';
import { secureHeaders } from './http/secureHeaders.ts';
import { organizationRoutes } from './organizations/routes.ts';
import type { Admission } from './tenancy/admission.ts';
import { admissionMetrics } from './tenancy/admissionMetrics.ts';
import { databaseMetrics } from './tenancy/databaseMetrics.ts';
import { health } from './tenancy/health.ts';
import type { Readiness } from './tenancy/readiness.ts';
import type { Database } from './tenancy/tenantDatabase.ts';

export interface AppParts {
  readonly config: Pick<Config, 'allowedOrigins' | 'production' | 'requestTimeout' | 'trustProxy'>;
  readonly log: Logger;
  readonly database: Database;
  readonly readiness: Readiness;
  readonly admission: Admission;
  readonly auth: Auth;
  readonly graphql: GraphQLApi;
}

/** Maximum size of request headers, in bytes. Node's default of 16 kB is too small for tokens with many groups. */
export const headerLimit = 49_152;

/** Creates the Express app: all middleware and routes of a request, in order. */
export async function createApp(parts: AppParts): Promise<Express> {
  const { config, log, database, readiness, admission, auth, graphql } = parts;
  const app = express();
  const metrics = createMetrics([
    databaseMetrics(database),
    admissionMetrics(admission),
    passwordMetrics,
    liveMetrics(graphql.live),
  ]);

  app.set('trust proxy', config.trustProxy).disable('x-powered-by');
  // GraphiQL, which is absent in production, runs inline scripts.
  app.use(secureHeaders(config.production ? {} : { contentSecurityPolicy: false }));
  app.use(requestLog(log), metrics.middleware, deadline(config.requestTimeout), crossOrigin(config.allowedOrigins));
  // The token's identity → the tenant's turn → tenant transaction → policies. A slow body upload holds no turn.
  app.post('/graphql', auth.signedIn, actForHeader, readBody(), auth.inTurn, parseBody, graphql.answer);
  app.use(health(readiness, log), metrics.routes);
  app.get('/.well-known/jwks.json', auth.wellKnown);
  app.use('/auth', jsonBody, auth.routes);
  app.use('/organizations', jsonBody, organizationRoutes(auth.context, Router().use(auth.signedIn, auth.inTurn)));
  await graphql.addTo(app);
  app.use(notFound, problem(log));
  return app;
}
