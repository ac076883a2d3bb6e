import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import type { Logger } from 'pino';
import { isUnavailable } from '../postgres/connectionErrors.ts';
import { postgresAdvice } from '../postgres/patchLevel.ts';
import { createApp, headerLimit } from './app.ts';
import { createAuth } from './auth/auth.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import type { GraphQLApi } from './graphql/api.ts';
import { DocumentsError } from './graphql/documentId.ts';
import { prefetchIntrospection } from './graphql/prefetchIntrospection.ts';
import { createLog } from './http/log.ts';
import { Shutdown } from './shutdown.ts';
import { Admission } from './tenancy/admission.ts';
import { createReadiness } from './tenancy/readiness.ts';
import { type InspectLive, unsafeSchema } from './tenancy/schemaSafety.ts';
import { type Database, TenantDatabase } from './tenancy/tenantDatabase.ts';

class StartError extends Error {}

/** Runs a step of the startup, and prints its duration. @param done a sentence for the output, such as "built the API". */
export type Step = <T>(done: string, work: () => Promise<T>) => Promise<T>;

/** Development defaults for settings that the environment lacks. */
export interface Development {
  readonly databaseUrl: string;
  /** Whether `databaseUrl` is the embedded Postgres, which the user cannot update. */
  readonly embedded: boolean;
  readonly jwtSecret: string;
  /** Folder for mail if SMTP_URL is not set. */
  readonly mailDirectory: string;
  /** Adds demo tenants to an embedded database, prints examples, and reloads the API when the schema changes. */
  ready(parts: { database: Database; graphql: GraphQLApi; log: Logger; url: string }): Promise<void>;
  close(): Promise<void>;
}

/** Prepares development. */
type Develop = (config: Config, step: Step) => Promise<Development>;

/**
 * Starts the server. Prints an error and sets the exit code if that fails.
 *
 * @param develop prepares the development environment; absent in production.
 */
export async function runServer(develop?: Develop): Promise<void> {
  await start(develop).catch(reportFailure);
}

async function start(develop: Develop | undefined): Promise<void> {
  const config = readConfig(process.env, { mayBeIncomplete: develop !== undefined });
  const log = createLog(config.logLevel);
  const step = stepper(config.production);
  const development = await develop?.(config, step);

  const databaseUrl = development?.databaseUrl ?? (config.databaseUrl as string);
  const database = new TenantDatabase(databaseUrl, config.pool, log);
  const readiness = createReadiness(database);
  const stop = async () => {
    await database.close();
    await development?.close();
  };
  const linter = loadLinter();
  linter.catch(() => {});
  try {
    const { schemaIsNewer } = await step('checked the database', async () => {
      const report = await readiness.report();
      const { reasons, advice } = report;
      if (config.production) refuseUnsafe(reasons);
      // The embedded Postgres is part of the npm packages, so the user cannot update it.
      const patches = development?.embedded ? [] : await postgresAdvice(database);
      for (const sentence of [...reasons, ...advice, ...patches]) log.warn(sentence);
      return report;
    });
    // Runs while the API is built, which keeps this process busy and Postgres idle.
    const policy = { allowed: config.allowedRules, schemaIsNewer };
    const unsafe = linter.then((inspectLive) => unsafeSchema(inspectLive, database, policy, log));
    unsafe.catch(() => {});
    const {
      allowedOrigins,
      auditRetentionDays,
      externalIssuer,
      limitFactor,
      persistedDocuments,
      privateKeys,
      production,
    } = config;
    const jwtSecret = config.jwtSecret ?? (privateKeys ? undefined : development?.jwtSecret);
    const mail = { ...config.mail, directory: development?.mailDirectory };
    const admission = new Admission(config.admission);
    const auth = createAuth(
      database,
      { jwtSecret, privateKeys, externalIssuer, limitFactor, mail, auditRetentionDays },
      admission,
      log,
    );
    const listenUrl = config.listenUrl ?? databaseUrl;
    const graphql = await step('built the API', async () => {
      const catalog = prefetchIntrospection(database);
      // This import takes longer than Postgres needs to answer, so it starts after the query.
      const { createGraphQL } = await import('./graphql/api.ts');
      return createGraphQL({ database, catalog, listenUrl, log, production, documentsFolder: persistedDocuments });
    });
    await step('inspected the schema', async () => {
      const reasons = await unsafe;
      if (config.production) refuseUnsafe(reasons);
      for (const sentence of reasons) log.warn(sentence);
    });
    const app = await createApp({ config, log, database, readiness, admission, auth, graphql });
    const timeouts = {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      // Node's default interval of 30 s would let slow clients take four times the allowed time.
      connectionsCheckingInterval: 1000,
      // Must be longer than a proxy keeps idle connections. Otherwise the server may close one that carries a new request.
      keepAliveTimeout: config.keepAliveTimeout * 1000,
      maxHeaderSize: headerLimit,
    };
    const server = createServer(timeouts, app);
    const sockets = graphql.openSockets(server, { admission, authenticate: auth.authenticate, allowedOrigins });
    // Handle signals before the server listens, so that none can end the process during the first request.
    const { drainDelay } = config;
    const close = async () => {
      await Promise.all([graphql.close(), auth.close()]);
      await stop();
    };
    const shutdown = new Shutdown({ server, sockets, readiness, drainDelay, log, close });
    shutdown.closed.catch(reportFailure);
    process.on('SIGTERM', () => shutdown.signal()).on('SIGINT', () => shutdown.signal());
    await listen(server, config);
    const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${(server.address() as AddressInfo).port}`;
    log.info({ url }, 'listening');
    await development?.ready({ database, graphql, log, url });
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws StartError if there are reasons not to serve. */
function refuseUnsafe(reasons: readonly string[]): void {
  if (reasons.length > 0) throw new StartError(`This database is not safe to serve from:\n${list(reasons)}`);
}

/** Loads the linter. Only this file connects the linter layer with the server. */
async function loadLinter(): Promise<InspectLive> {
  return (await import('../lint/live.ts')).loadLiveLinter();
}

function listen(server: Server, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new StartError(`Port ${port} is in use. Set PORT to another port, or to 0 for any free one.`)
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
}

/** Prints one line for each finished step, with its duration. Prints nothing in production, where machines read the log. */
function stepper(silent: boolean): Step {
  return async <T>(done: string, work: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    if (!silent) console.log(`✓ ${done} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    return result;
  };
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `  - ${line}`).join('\n');
}

/** Prints a message for the operator and sets the exit code. Prints the stack only for unexpected errors. */
function reportFailure(error: unknown): void {
  if ([ConfigError, StartError, DocumentsError].some((known) => error instanceof known))
    console.error((error as Error).message);
  else if (isUnavailable(error)) console.error(`The database cannot be reached: ${(error as Error).message}`);
  else if (error instanceof pg.DatabaseError)
    console.error(`The database rejected a statement during the start: ${error.message}`);
  else console.error(error);
  process.exitCode = 1;
}
