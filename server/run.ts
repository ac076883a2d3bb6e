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

/** Runs a step of the start, and prints how long it took. */
export type Step = <T>(done: string, work: () => Promise<T>) => Promise<T>;

/** Replacements, during development, for what the environment does not set. */
export interface Development {
  readonly databaseUrl: string;
  /** Whether `databaseUrl` is the embedded Postgres, which its user does not operate. */
  readonly embedded: boolean;
  readonly jwtSecret: string;
  /** Folder that mail is written to where SMTP_URL is not set. */
  readonly mailDirectory: string;
  /** Adds the demo tenants to an embedded database, prints what to try, and has the API follow the schema. */
  ready(parts: { database: Database; graphql: GraphQLApi; log: Logger; url: string }): Promise<void>;
  close(): Promise<void>;
}

/** Prepares development. */
type Develop = (config: Config, step: Step) => Promise<Development>;

/**
 * Starts the server, and sets the exit code where that fails.
 *
 * @param develop prepares development; absent in production.
 */
export async function runServer(develop?: Develop): Promise<void> {
  await start(develop).catch(fail);
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
      // The embedded Postgres comes with the packages: its user cannot update it.
      const patches = development?.embedded ? [] : await postgresAdvice(database);
      for (const sentence of [...reasons, ...advice, ...patches]) log.warn(sentence);
      return report;
    });
    // While the API is built, which keeps this process busy, and Postgres idle.
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
      // Loaded only now: this takes longer than Postgres needs to answer.
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
      // Node looks every 30 s by itself, and would let the slowest be slow for four times as long as they may.
      connectionsCheckingInterval: 1000,
      // Longer than a proxy keeps its idle connections: one that the server closes first may just carry a request.
      keepAliveTimeout: config.keepAliveTimeout * 1000,
      maxHeaderSize: headerLimit,
    };
    const server = createServer(timeouts, app);
    const sockets = graphql.openSockets(server, { admission, authenticate: auth.authenticate, allowedOrigins });
    // Before it listens: a signal must not end the process as soon as the first request can arrive.
    const { drainDelay } = config;
    const close = async () => {
      await Promise.all([graphql.close(), auth.close()]);
      await stop();
    };
    const shutdown = new Shutdown({ server, sockets, readiness, drainDelay, log, close });
    shutdown.closed.catch(fail);
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

/** @throws StartError where there are reasons not to serve. */
function refuseUnsafe(reasons: readonly string[]): void {
  if (reasons.length > 0) throw new StartError(`This database is not safe to serve from:\n${list(reasons)}`);
}

/** The linter is a layer of its own, which this file alone puts together with the server. */
async function loadLinter(): Promise<InspectLive> {
  return (await import('../lint/live.ts')).loadLiveLinter();
}

function listen(server: Server, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new StartError(`Port ${port} is in use. Set PORT to another one, or to 0 for any.`)
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
}

/** Says what was done and how long it took, a line each; silent in production, whose log is read by machines. */
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

/** Ends the process with what a person can act on; the stack only of what we did not expect. */
function fail(error: unknown): void {
  if ([ConfigError, StartError, DocumentsError].some((known) => error instanceof known))
    console.error((error as Error).message);
  else if (isUnavailable(error)) console.error(`The database cannot be reached: ${(error as Error).message}`);
  else if (error instanceof pg.DatabaseError) console.error(`The database refused to start with: ${error.message}`);
  else console.error(error);
  process.exitCode = 1;
}
