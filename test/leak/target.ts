import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { createApp } from '../../server/app.ts';
import { createAuth } from '../../server/auth/auth.ts';
import { createGraphQL } from '../../server/graphql/api.ts';
import { Admission } from '../../server/tenancy/admission.ts';
import { createReadiness } from '../../server/tenancy/readiness.ts';
import { type Database, TenantDatabase } from '../../server/tenancy/tenantDatabase.ts';
import type { TestDatabase } from '../support/database.ts';
import { jwtSecret, sender } from '../support/server.ts';
import { requestTimeout } from './faultFunctions.ts';

/** Identity and settings of a pooled connection between requests. */
export interface ConnectionState {
  readonly pid: number;
  readonly role: string;
  readonly user: string | null;
  /** Settings of the session (`SET`), which a pooler would hand to the next client. */
  readonly settings: string[] | null;
}

/** A listening server under test, and its database. */
export interface Target {
  readonly url: string;
  readonly poolSize: number;
  /** Whether to check codes, 401s and written rows too. Otherwise only leaks count. */
  readonly strict: boolean;
  /** Whether each pooled connection has its own backend, which is not so behind a pooler. */
  readonly direct: boolean;
  readonly db: TestDatabase;
  /** Counters of the server itself. */
  readonly counts: Database['counts'];
  /** Reads the state of a pooled connection as the next request would get it. */
  connectionState(): Promise<ConnectionState>;
  close(): Promise<void>;
}

// PgBouncer sets these for each client, so they are no trace of a tenant.
const fromClient = ['application_name', 'client_encoding', 'DateStyle', 'IntervalStyle', 'TimeZone'];
export const stateStatement = {
  text: `select pg_backend_pid() as pid, current_user::text as role,
    nullif(current_setting('app.current_user_id', true), '') as user,
    (select array_agg(name) from pg_settings where source = 'session' and name <> all ($1)) as settings`,
  values: [[...fromClient, 'standard_conforming_strings']],
};

/** Starts the real server with a pool of `poolSize`. */
export async function startTarget(db: TestDatabase, poolSize: number): Promise<Target> {
  const log = pino({ level: 'silent' });
  const { serverUrl, preparedStatements } = db;
  // The wait for a connection ends before the deadline, so that both errors occur. The bypass is short, so that slow
  // tenants soon run pipelined with others again and have faults there too.
  const options = { size: poolSize, timeout: 0.8, recycle: 5, bypassFor: 0.1, preparedStatements };
  const database = new TenantDatabase(serverUrl, options, log);
  const graphql = await createGraphQL({ database, listenUrl: db.listenUrl, log, production: true });
  // Admission must not limit tenants that hold connections under faults: they must meet in the database.
  const admission = new Admission({
    total: 1000,
    perTenant: 1000,
    queue: 1000,
    workUnderWay: Number.POSITIVE_INFINITY,
    holdBudget: Number.POSITIVE_INFINITY,
  });
  const auth = createAuth(database, { jwtSecret, limitFactor: 1000, mail: { from: sender } }, admission, log);
  const app = await createApp({
    config: { allowedOrigins: [], production: true, trustProxy: 0, requestTimeout },
    log,
    database,
    graphql,
    readiness: createReadiness(database),
    admission,
    auth,
  });
  const { url, server, close } = await listen(app);
  const sockets = graphql.openSockets(server, { admission, authenticate: auth.authenticate, allowedOrigins: [] });
  return {
    url,
    poolSize,
    db,
    strict: true,
    direct: preparedStatements,
    get counts() {
      return database.counts;
    },
    connectionState: async () => (await database.inspect<ConnectionState>(stateStatement)).rows[0] as ConnectionState,
    close: async () => {
      await sockets.close();
      await close();
      await graphql.close();
      await database.close();
    },
  };
}

/** Serves `app` on the loopback address. */
export async function listen(app: RequestListener): Promise<{ url: string; server: Server; close(): Promise<void> }> {
  // Longer than any pause of the run, so that no keep-alive socket closes just when a request is sent.
  const server = createServer({ keepAliveTimeout: 120_000 }, app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    server,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
