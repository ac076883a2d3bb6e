import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { createApp } from '../../server/app.ts';
import { createAuth } from '../../server/auth/auth.ts';
import { createGraphQL } from '../../server/graphql/api.ts';
import { Admission, admissionLimits } from '../../server/tenancy/admission.ts';
import { createReadiness } from '../../server/tenancy/readiness.ts';
import { TenantDatabase } from '../../server/tenancy/tenantDatabase.ts';

export interface ServeOptions {
  /** Connects as hedgerow_authenticator. */
  readonly serverUrl: string;
  readonly poolSize: number;
  readonly jwtSecret: string;
  /** In seconds. */
  readonly requestTimeout?: number;
  /** Receives internal errors. The client gets only an error id. */
  readonly onError?: (error: Error) => unknown;
}

/** A server in this process. */
export interface Served {
  /** The server's address, without a path. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts the real server on a free port, with the app, the pool and the websockets, as `server/run.ts` does. */
export async function serve({
  serverUrl,
  poolSize,
  jwtSecret,
  requestTimeout = 10,
  onError,
}: ServeOptions): Promise<Served> {
  const log = pino({ level: 'silent' });
  if (onError) {
    // The server logs the reason under an id that the client gets. The report needs the reason itself.
    log.error = ((fields: { err?: Error }) => fields.err && onError(fields.err)) as typeof log.error;
  }
  const pool = { size: poolSize, timeout: 5, recycle: 1800, preparedStatements: true };
  const database = new TenantDatabase(serverUrl, pool, log);
  const graphql = await createGraphQL({ database, listenUrl: serverUrl, log, production: false });
  const mail = { from: { name: 'Hedgerow', address: 'no-reply@localhost' } };
  // No pauses: how often a tenant holds the event loop depends on the machine.
  const admission = new Admission({ ...admissionLimits(poolSize), holdBudget: Number.POSITIVE_INFINITY });
  // All users register from one address, so the rate limits are raised.
  const auth = createAuth(database, { jwtSecret, limitFactor: 1000, mail }, admission, log);
  const config = { allowedOrigins: [], production: false, trustProxy: 0, requestTimeout };
  const readiness = createReadiness(database);
  const app = await createApp({ config, log, database, readiness, admission, auth, graphql });
  const server = createServer({ keepAliveTimeout: 120_000 }, app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = graphql.openSockets(server, { admission, authenticate: auth.authenticate, allowedOrigins: [] });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      await sockets.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await Promise.all([graphql.close(), auth.close()]);
      await database.close();
    },
  };
}
