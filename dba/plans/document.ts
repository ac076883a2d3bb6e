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

/** What a document was answered, and the statements that it took. */
export interface ExplainedDocument {
  readonly answer: { readonly data?: unknown; readonly errors?: readonly { readonly message: string }[] };
  readonly plans: readonly Plan[];
}

interface Parts {
  readonly serverUrl: string;
  /** In a transaction that speaks for the tenant, and that is rolled back. */
  readonly client: pg.Client;
  readonly userId: string;
  readonly document: string;
  readonly variables: Record<string, unknown>;
  readonly analyze: boolean;
}

/** Sends a document through the API as the server builds it; each of its statements is explained, and then run. */
export async function explainDocument({ serverUrl, client, userId, ...asked }: Parts): Promise<ExplainedDocument> {
  const log = pino({ level: 'silent' });
  const options = { size: 1, timeout: 5, recycle: 1800, preparedStatements: false };
  const database = new TenantDatabase(serverUrl, options, log);
  const plans: Plan[] = [];
  // One after the other: statements of one tick share a connection in which a savepoint belongs to one of them.
  let last: Promise<unknown> = Promise.resolve();
  const query = <Row>(statement: Statement): Promise<Result<Row>> => {
    const turn = last.then(async () => {
      plans.push(await explainStatement(client, statement, asked.analyze));
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
  app.use(express.json({ limit: '100kb' }), (request, response, next) => {
    if (request.get('Authorization') !== secret) return void response.sendStatus(401);
    request.user = { identity: Identity.tenant(userId, randomUUID()) } as never;
    request.cancellation = new Cancellation();
    next();
  });
  await graphql.addTo(app);
  const server = createServer(app).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: secret },
      body: JSON.stringify({ query: asked.document, variables: asked.variables }),
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
