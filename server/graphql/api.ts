import './grafastEnvironment.ts';
import type { Server as HttpServer } from 'node:http';
import type { Express, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { makeSchema, postgraphile } from 'postgraphile';
import { ExpressGrafserv } from 'postgraphile/grafserv/express/v4';
import type { GraphQLSchema } from 'postgraphile/graphql';
import type { Admission } from '../tenancy/admission.ts';
import type { IdentifiedClient, SqlRunner } from '../tenancy/tenantDatabase.ts';
import { answerTooLarge } from './complexity/complexity.ts';
import { aboutDocument } from './errors.ts';
import { keyReused } from './idempotency.ts';
import { type LiveCounts, LiveHub } from './live/hub.ts';
import { type Authenticate, liveProtocol } from './live/protocol.ts';
import { openSockets, type Sockets } from './live/sockets.ts';
import { type Head, send } from './output/answer.ts';
import { preset } from './preset.ts';
import { readDocuments } from './trustedDocuments.ts';

type Digest = ReturnType<ExpressGrafserv['getDigest']>;
type Answer = Awaited<ReturnType<ExpressGrafserv['processRequest']>>;

interface Body {
  errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string; readonly reason?: string };
  }[];
}

/**
 * Sets HTTP statuses and error codes. Grafserv responds 200 to every error of the database; this class responds 401 when
 * the session has ended, 403 when the user is no member of the organization or their role does not allow the operation,
 * 409 when an idempotency key is reused, and 503 when the database is unavailable. Grafserv passes on errors about the
 * document unchanged; this class adds their code.
 */
class Server extends ExpressGrafserv {
  protected override getDigest(...args: Parameters<ExpressGrafserv['getDigest']>): Digest {
    return { ...super.getDigest(...args), preferJSON: true };
  }

  protected override async processRequest(digest: Digest): Promise<Answer> {
    const answer = await super.processRequest(digest);
    if (answer?.type !== 'json') return answer;
    const body = answer.json as Body;
    if (!body.errors) return answer;
    const has = (code: string) => body.errors?.some(({ extensions }) => extensions?.code === code);
    if (has('UNAUTHENTICATED')) {
      return { ...answer, statusCode: 401, headers: { ...answer.headers, 'WWW-Authenticate': 'Bearer' } };
    }
    if (has('FORBIDDEN')) return { ...answer, statusCode: 403 };
    if (body.errors.some(({ extensions }) => extensions?.reason === keyReused)) return { ...answer, statusCode: 409 };
    if (has('UNAVAILABLE')) return { ...answer, statusCode: 503, headers: { ...answer.headers, 'Retry-After': '1' } };
    body.errors = body.errors.map((error) => (error.extensions?.code ? error : asInputError(error)));
    return answer;
  }

  /** Responds to an operation. A response that is not large leaves in one write with its headers. */
  readonly answer: RequestHandler = async (request, response, next) => {
    const answer = await this.processRequest(this.getDigest(this.dynamicOptions, request, response));
    request.hold?.end();
    if (answer?.type !== 'json') return next(answer?.type === 'error' ? answer.error : undefined);
    try {
      if (await send(request, response, answer, answer.json as object)) return;
      await send(request, response, asRefusal(answer), { errors: [answerTooLarge()] });
    } catch (error) {
      // The client has disconnected.
      if (response.destroyed) return;
      next(error);
    }
  };
}

/** Returns the status that Grafserv uses for a response without data. */
function asRefusal({ statusCode, headers }: Head): Head {
  const isLegacy = !headers['content-type']?.startsWith('application/graphql-response+json');
  return { statusCode: isLegacy ? statusCode : 400, headers };
}

function asInputError(error: NonNullable<Body['errors']>[number]) {
  return {
    ...error,
    message: aboutDocument(error.message),
    extensions: { code: 'BAD_USER_INPUT', ...error.extensions },
  };
}

interface SocketOptions {
  /** Admits subscriptions, and the reads of their events, in turn with the tenant's requests. */
  readonly admission: Admission;
  readonly authenticate: Authenticate;
  readonly allowedOrigins: readonly string[];
}

/** The API as part of an Express application. */
export interface GraphQLApi {
  readonly schema: GraphQLSchema;
  readonly live: { readonly counts: LiveCounts };
  /** Responds to an operation of a signed-in user: `POST /graphql`. */
  readonly answer: RequestHandler;
  /** Adds Grafserv's other routes: GraphiQL outside production, and responses to other methods. */
  addTo(app: Express): Promise<void>;
  /** Adds subscriptions over WebSockets at `/graphql`. Close them before the HTTP server, which waits for them. */
  openSockets(server: HttpServer, options: SocketOptions): Sockets;
  /**
   * Rebuilds the schema from the database and uses it for later requests.
   *
   * @throws the error that prevents the build. The old schema then stays.
   */
  reload(): Promise<void>;
  close(): Promise<void>;
}

export interface GraphQLParts {
  readonly database: SqlRunner;
  /** The catalog reader, if introspection was prefetched. */
  readonly catalog?: IdentifiedClient;
  /** The connection string of the listener connection. It goes to the primary, not through a pooler. */
  readonly listenUrl: string;
  readonly log: Logger;
  readonly production: boolean;
  /** The folder of trusted documents. In production, only these may run; elsewhere, others may too. */
  readonly documentsFolder?: string | undefined;
}

/**
 * Reads the schema from the database and builds the API.
 *
 * @throws the connection's error when the database is unavailable; DocumentsError when the documents are unusable.
 */
export async function createGraphQL({ documentsFolder, listenUrl, ...parts }: GraphQLParts): Promise<GraphQLApi> {
  const { database, log } = parts;
  const live = new LiveHub(listenUrl, database, log);
  const documents = documentsFolder === undefined ? undefined : await readDocuments(documentsFolder);
  const settings = preset({ ...parts, documents, live });
  const instance = postgraphile(settings);
  const schema = await instance.getSchema();
  const server = instance.createServ((config) => new Server(config));
  return {
    schema,
    live,
    answer: server.answer,
    addTo: (app) => server.addTo(app, null, false),
    openSockets: (httpServer, { admission, authenticate, allowedOrigins }) => {
      const protocol = liveProtocol({ server, hub: live, database, admission, authenticate });
      return openSockets(httpServer, { path: '/graphql', allowedOrigins, protocol, log });
    },
    reload: async () => server.setSchema((await makeSchema(settings)).schema),
    close: async () => instance.release(),
  };
}
