import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import pino, { type Logger } from 'pino';
import type { GraphQLSchema } from 'postgraphile/graphql';
import type supertest from 'supertest';
import { createApp, headerLimit } from '../../server/app.ts';
import { type AuthSettings, createAuth } from '../../server/auth/auth.ts';
import type { MailSettings } from '../../server/auth/mailer/settings.ts';
import type { ExternalIssuer } from '../../server/auth/tokens/externalIssuer.ts';
import { createGraphQL } from '../../server/graphql/api.ts';
import { Admission, type AdmissionLimits, admissionLimits } from '../../server/tenancy/admission.ts';
import { createReadiness, type Readiness } from '../../server/tenancy/readiness.ts';
import { type Database, TenantDatabase } from '../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { openPort, requestTo } from './requestTo.ts';

export const jwtSecret = 'a secret of the tests, long enough to sign with';

/** Sender of all mail. */
export const sender = { name: 'Hedgerow', address: 'no-reply@hedgerow.example' };

/** The real server inside the test process: the app, its pool and its database. */
export interface TestServer {
  readonly app: Express;
  readonly db: TestDatabase;
  readonly database: Database;
  readonly readiness: Readiness;
  readonly graphqlSchema: GraphQLSchema;
  /** Serves the app and its websockets on a free port. @returns the URL. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

export interface TestServerOptions {
  readonly allowedOrigins?: string[];
  readonly production?: boolean;
  readonly poolSize?: number;
  readonly admission?: Partial<AdmissionLimits>;
  /** Deadline of a request, in seconds. */
  readonly requestTimeout?: number;
  /** Number of trusted proxies in front of the server. */
  readonly trustProxy?: number;
  /** Factor of the rate limits. High by default, because all tests share one address. */
  readonly limitFactor?: number;
  /** By default the server cannot send mail. */
  readonly mail?: Partial<MailSettings>;
  readonly log?: Logger;
  /** By default `jwtSecret`. */
  readonly keys?: Pick<AuthSettings, 'jwtSecret' | 'privateKeys'>;
  readonly externalIssuer?: ExternalIssuer;
  readonly persistedDocuments?: string;
  /** `bare` has only the migrations, so no example tables if the project has removed them. */
  readonly template?: 'template' | 'bare';
}

/** Connection strings of the server. */
export interface Connections {
  readonly serverUrl: string;
  readonly listenUrl?: string;
  readonly replicaUrl?: string;
  readonly preparedStatements?: boolean;
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const db = await createTestDatabase(options.template);
  const server = await serve(db, options);
  return {
    ...server,
    db,
    close: async () => {
      await server.close();
      await db.drop();
    },
  };
}

/** Starts the server on an existing database. */
export async function serve(
  { serverUrl, listenUrl = serverUrl, replicaUrl, preparedStatements = true }: Connections,
  options: TestServerOptions = {},
): Promise<Omit<TestServer, 'db'>> {
  const { allowedOrigins = [], production = false, poolSize = 3, requestTimeout = 10, trustProxy = 0 } = options;
  const { log = pino({ level: 'silent' }), limitFactor = 1000, mail } = options;
  const pool = { size: poolSize, timeout: 5, recycle: 1800, preparedStatements, replicaUrl };
  const database = new TenantDatabase(serverUrl, pool, log);
  const readiness = createReadiness(database);
  // No pauses of tenants by default, because the time that a request holds the event loop depends on the machine.
  const limits = { ...admissionLimits(poolSize), holdBudget: Number.POSITIVE_INFINITY, ...options.admission };
  const admission = new Admission(limits);
  const { persistedDocuments: documentsFolder } = options;
  const graphql = await createGraphQL({ database, listenUrl, log, production, documentsFolder });
  const config = { allowedOrigins, production, trustProxy, requestTimeout };
  const { keys = { jwtSecret }, externalIssuer } = options;
  const auth = createAuth(
    database,
    { ...keys, externalIssuer, limitFactor, mail: { from: sender, ...mail } },
    admission,
    log,
  );
  const app = await createApp({ config, log, database, readiness, admission, auth, graphql });
  const closePort = await openPort(app);
  const server = createServer({ maxHeaderSize: headerLimit }, app);
  const sockets = graphql.openSockets(server, { admission, authenticate: auth.authenticate, allowedOrigins });
  return {
    app,
    database,
    readiness,
    graphqlSchema: graphql.schema,
    listen: async () => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    close: async () => {
      await sockets.close();
      server.close();
      closePort();
      await Promise.all([graphql.close(), auth.close()]);
      await database.close();
    },
  };
}

/** A signed-in tenant. */
export interface Tenant {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  readonly refreshToken: string;
  /** Sends a document as this tenant. Returns the whole response, so that tests can check its status and errors. */
  graphql(query: string, variables?: Record<string, unknown>): supertest.Test;
}

export async function signUp(app: Express, name: string): Promise<Tenant> {
  const email = `${name}@example.com`;
  const password = `${name}-long-password`;
  const { body } = await requestTo(app).post('/auth/register').send({ email, username: name, password }).expect(201);
  return {
    id: body.user.id,
    email,
    password,
    token: body.accessToken,
    refreshToken: body.refreshToken,
    graphql: (query, variables) => graphql(app, body.accessToken, query, variables),
  };
}

export function graphql(app: Express, token: string | undefined, query: string, variables?: Record<string, unknown>) {
  const request = requestTo(app).post('/graphql');
  if (token !== undefined) request.set('Authorization', `Bearer ${token}`);
  return request.send({ query, variables });
}

/**
 * Sends a document with fetch until `signal` aborts it. supertest cannot do this: it never closes the server of an
 * aborted request, and the test process does not exit.
 *
 * @param url from `listen()`.
 */
export function graphqlUntil(
  signal: AbortSignal,
  url: string,
  { token }: Tenant,
  body: { query: string; variables?: Record<string, unknown> },
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { ...headers, authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
}
