import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Identity } from '../../server/tenancy/identity.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { graphql, serve, signUp, type Tenant, type TestServer } from '../support/server.ts';

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let ada: Pick<Tenant, 'token' | 'graphql'>;

beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(`create function app_public.dawdle(seconds float) returns int language plpgsql stable
    as $$ begin perform pg_sleep(seconds); return 1; end $$`);
  await db.asAdmin('grant execute on function app_public.dawdle to hedgerow_tenant');
  server = await serve(db, { poolSize: 1, requestTimeout: 2 });
  // Signing up takes longer than that on a busy machine.
  const patient = await serve(db);
  const { token } = await signUp(patient.app, 'ada');
  await patient.close();
  ada = { token, graphql: (query) => graphql(server.app, token, query) };
});
afterAll(async () => {
  await server.close();
  await db.drop();
});

/** Waits until nothing that the server asked for runs in Postgres any more. */
async function nothingRuns(): Promise<void> {
  const text = `select from pg_stat_activity where usename = 'hedgerow_authenticator' and datname = current_database()
    and state <> 'idle'`;
  while ((await db.asAdmin(text)).length > 0) await sleep(20);
}

test('a request that takes too long is answered TIMEOUT, and its statement is stopped', async () => {
  const { body } = await ada.graphql('{ dawdle(seconds: 7) }').expect(200);
  expect(body.errors).toMatchObject([{ extensions: { code: 'TIMEOUT' } }]);
  await nothingRuns();
  expect(server.database.counts.destroyed.cancelled).toBe(1);
  expect((await ada.graphql('{ dawdle(seconds: 0) }')).body).toEqual({ data: { dawdle: 1 } });
});

test('so is a mutation in the middle of its transaction, and nothing has happened', async () => {
  const { body } = await ada
    .graphql('mutation { createTodo(input: {todo: {title: "late"}}) { query { dawdle(seconds: 7) } } }')
    .expect(200);
  expect(body.errors).toMatchObject([{ extensions: { code: 'TIMEOUT' } }]);
  await nothingRuns();
  expect(await db.asAdmin('select title from app_public.todos')).toEqual([]);
});

test('a request that waits too long for a connection is answered, and leaves the queue', async () => {
  const [held, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holding = server.database.as(Identity.nobody).transaction(async ({ query }) => {
    await query({ text: 'select 1' });
    held.resolve();
    await release.promise;
  });
  await held.promise;
  const { body } = await ada.graphql('{ dawdle(seconds: 0) }');
  release.resolve();
  await holding;
  expect(body.errors).toMatchObject([{ extensions: { code: 'TIMEOUT' } }]);
  while (server.database.load().waiting > 0) await sleep(20);
  expect((await ada.graphql('{ dawdle(seconds: 0) }')).body).toEqual({ data: { dawdle: 1 } });
});

test('what runs for a client that has gone is stopped', async () => {
  await nothingRuns();
  const patient = await serve(db, { poolSize: 1 });
  const http = createServer(patient.app).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const socket = connect((http.address() as AddressInfo).port, '127.0.0.1');
  const body = JSON.stringify({ query: '{ dawdle(seconds: 6) }' });
  const headers = [`Authorization: Bearer ${ada.token}`, 'Content-Type: application/json', 'Host: x'];
  socket.write(`POST /graphql HTTP/1.1\r\n${headers.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  // Its last attempt: those before have 50 and 500 ms.
  const running = `select from pg_stat_activity where state = 'active' and query like '%"dawdle"%'
    and query_start < now() - interval '700 ms' and pid <> pg_backend_pid()`;
  while ((await db.asAdmin(running)).length === 0) await sleep(10);
  socket.destroy();
  await nothingRuns();
  expect(patient.database.counts.destroyed.cancelled).toBe(1);
  http.close();
  await patient.close();
});
