import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type pg from 'pg';
import { pino } from 'pino';
import { Cancellation } from '../../postgres/cancellation.ts';
import type { Result, Statement } from '../../postgres/statement.ts';
import { createGraphQL } from '../../server/graphql/api.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import { type IdentifiedClient, type SqlRunner, TenantDatabase } from '../../server/tenancy/tenantDatabase.ts';
import { explainStatement, type Plan } from './plan.ts';

/** The answer to a document, and the plans of its statements. */
export interface ExplainedDocument {
  readonly answer: { readonly data?: unknown; readonly errors?: readonly { readonly message: string }[] };
  readonly plans: readonly Plan[];
}

interface ExplainRequest {
  readonly serverUrl: string;
  /** A connection in a transaction of the tenant. The caller rolls the transaction back. */
  readonly client: pg.Client;
  readonly userId: string;
  readonly document: string;
  readonly variables: Record<string, unknown>;
  readonly analyze: boolean;
}

/**
 * Runs a document through the API as the server builds it. Explains each of its statements, then runs the statement.
 *
 * @throws if the API cannot be built from the database.
 */
export async function explainDocument({
  serverUrl,
  client,
  userId,
  ...request
}: ExplainRequest): Promise<ExplainedDocument> {
  const log = pino({ level: 'silent' });
  const options = { size: 1, timeout: 5, recycle: 1800, preparedStatements: false };
  const database = new TenantDatabase(serverUrl, options, log);
  const plans: Plan[] = [];
  // Statements of one tick share the connection. They run one after the other, because each one uses a savepoint.
  let last: Promise<unknown> = Promise.resolve();
  const query = <Row>(statement: Statement): Promise<Result<Row>> => {
    const turn = last.then(async () => {
      plans.push(await explainStatement(client, statement, request.analyze));
      return run<Row>(client, statement);
    });
    last = turn.catch(() => {});
    return turn;
  };
  const tenant: IdentifiedClient = { query, transaction: (work) => work({ query }) };
  const explained: SqlRunner = {
    inspect: (statement, cancellation) => database.inspect(statement, cancellation),
    as: (identity, given) => (identity === Identity.nobody ? database.as(identity, given) : tenant),
  };
  const graphql = await createGraphQL({ database: explained, listenUrl: serverUrl, log, production: false });
  const secret = randomBytes(24).toString('hex');
  const app = express();
  app.use(express.json({ limit: '100kb' }), (httpRequest, response, next) => {
    if (httpRequest.get('Authorization') !== secret) return void response.sendStatus(401);
    httpRequest.user = { identity: Identity.tenant(userId, randomUUID()) } as never;
    httpRequest.cancellation = new Cancellation();
    next();
  });
  await graphql.addTo(app);
  const server = createServer(app).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: secret },
      body: JSON.stringify({ query: request.document, variables: request.variables }),
    });
    return { answer: (await response.json()) as ExplainedDocument['answer'], plans };
  } finally {
    server.close();
    await graphql.close();
    await database.close();
  }
}

async function run<Row>(client: pg.Client, { text, values = [], rowMode }: Statement): Promise<Result<Row>> {
  const query = { text, values: [...values], ...(rowMode && { rowMode }) };
  const { rows, rowCount } = await client.query(query as pg.QueryConfig);
  return { rows: rows as Row[], rowCount };
}
