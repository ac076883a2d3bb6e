import './grafastEnvironment.ts';
import type { Express } from 'express';
import type { Logger } from 'pino';
import { postgraphile } from 'postgraphile';
import { ExpressGrafserv } from 'postgraphile/grafserv/express/v4';
import type { Database } from '../database/database.ts';
import { preset } from './preset.ts';

type Digest = ReturnType<ExpressGrafserv['getDigest']>;
type Answer = Awaited<ReturnType<ExpressGrafserv['processRequest']>>;

/** Grafserv answers 200 whatever the database said. A request without a session, or without a database, gets its status. */
class Server extends ExpressGrafserv {
  protected override getDigest(...args: Parameters<ExpressGrafserv['getDigest']>): Digest {
    return { ...super.getDigest(...args), preferJSON: true };
  }

  protected override async processRequest(digest: Digest): Promise<Answer> {
    const answer = await super.processRequest(digest);
    if (answer?.type !== 'json') return answer;
    const { errors = [] } = answer.json as { errors?: readonly { extensions?: { code?: string } }[] };
    const has = (code: string) => errors.some(({ extensions }) => extensions?.code === code);
    if (has('UNAUTHENTICATED'))
      return { ...answer, statusCode: 401, headers: { ...answer.headers, 'WWW-Authenticate': 'Bearer' } };
    if (has('UNAVAILABLE')) return { ...answer, statusCode: 503, headers: { ...answer.headers, 'Retry-After': '1' } };
    return answer;
  }
}

/** The API as part of an Express application. */
export interface GraphQLApi {
  /** Adds `/graphql`, and GraphiQL outside production. */
  addTo(app: Express): Promise<void>;
  close(): Promise<void>;
}

/** Reads the schema from the database and builds the API. @throws what the connection reports when the database is away. */
export async function createGraphQL(database: Database, log: Logger, production: boolean): Promise<GraphQLApi> {
  const instance = postgraphile(preset(database, log, production));
  await instance.getSchema();
  const server = instance.createServ((config) => new Server(config));
  return {
    addTo: (app) => server.addTo(app, null, false),
    close: async () => instance.release(),
  };
}
