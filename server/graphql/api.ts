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
 * Grafserv answers 200 whatever the database said: here a request without a session, or without a database, gets its
 * status. And what is wrong with a document, which Grafserv passes on as it is, gets its code.
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
    if (body.errors.some(({ extensions }) => extensions?.reason === keyReused)) return { ...answer, statusCode: 409 };
    if (has('UNAVAILABLE')) return { ...answer, statusCode: 503, headers: { ...answer.headers, 'Retry-After': '1' } };
    body.errors = body.errors.map((error) => (error.extensions?.code ? error : asInputError(error)));
    return answer;
  }

  /** Answers an operation. What is not large leaves in one write, with its headers. */
  readonly answer: RequestHandler = async (request, response, next) => {
    const answer = await this.processRequest(this.getDigest(this.dynamicOptions, request, response));
    request.hold?.end();
    if (answer?.type !== 'json') return next(answer?.type === 'error' ? answer.error : undefined);
    try {
      if (await send(request, response, answer, answer.json as object)) return;
      await send(request, response, asRefusal(answer), { errors: [answerTooLarge()] });
    } catch (error) {
      // Its client has gone: there is nobody to tell.
      if (response.destroyed) return;
      next(error);
    }
  };
}

/** The status that Grafserv gives an answer without data. */
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
  /** Lets subscriptions and the rows of their events take turns with the tenant's requests. */
  readonly admission: Admission;
  readonly authenticate: Authenticate;
  readonly allowedOrigins: readonly string[];
}

/** The API as part of an Express application. */
export interface GraphQLApi {
  readonly schema: GraphQLSchema;
  readonly live: { readonly counts: LiveCounts };
  /** Answers an operation of a signed-in user: `POST /graphql`. */
  readonly answer: RequestHandler;
  /** Adds what else there is: GraphiQL outside production, and what other methods are told. */
  addTo(app: Express): Promise<void>;
  /** Adds subscriptions, over websockets at `/graphql`. Close them before the server, which waits for them. */
  openSockets(server: HttpServer, options: SocketOptions): Sockets;
  /** Reads the schema again, and answers from then on by it. @throws what keeps it from being built; the old one stays. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

export interface GraphQLParts {
  readonly database: SqlRunner;
  /** The catalog reader, if introspection was prefetched. */
  readonly catalog?: IdentifiedClient;
  /** Where notifications are listened for: straight to the primary. */
  readonly listenUrl: string;
  readonly log: Logger;
  readonly production: boolean;
  /** Folder of the documents that alone may run in production; elsewhere these may too. */
  readonly documentsFolder?: string | undefined;
}

/**
 * Reads the schema from the database and builds the API.
 *
 * @throws what the connection reports when the database is away; DocumentsError.
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
