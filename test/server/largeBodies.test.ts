import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { requestTo } from '../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

let server: TestServer;
let port: number;
beforeAll(async () => {
  server = await startTestServer({ requestTimeout: 60 });
  port = Number(new URL(await server.listen()).port);
});
afterAll(() => server.close());

// A tenant who has sent much has to wait for the next turn: each test has its own.
let tenants = 0;
const tenant = () => signUp(server.app, `tenant${tenants++}`);

const create = 'mutation ($todos: [TodoInput!]!) { createTodos(input: {todos: $todos}) { todos { rowId } } }';
const todos = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ title: `${n} `.padEnd(255, 't'), description: 'é'.repeat(500) }));

test('a thousand todos with long texts are one mutation', async () => {
  const { body } = await (await tenant()).graphql(create, { todos: todos(1000) });
  expect(body.errors).toBeUndefined();
  expect(body.data.createTodos.todos).toHaveLength(1000);
});

test('only a mutation may have as much text in its variables', async () => {
  const ada = await tenant();
  const document = 'query ($t: String) { todos(filter: {title: {equalTo: $t}}) { totalCount } }';
  expect((await ada.graphql(document, { t: 'x'.repeat(100_001) })).body.errors).toEqual([
    { message: 'input characters 100001 is more than 100000', extensions: { code: 'TOO_COMPLEX' } },
  ]);
  expect((await ada.graphql(`{ __typename } # ${'x'.repeat(100_000)}`)).body.errors).toEqual([
    { message: 'characters 100017 is more than 100000', extensions: { code: 'TOO_COMPLEX' } },
  ]);
});

test('a large body without a valid token is not read', async () => {
  const body = { query: '{ __typename }', padding: 'x'.repeat(1_000_000) };
  const send = () => requestTo(server.app).post('/graphql').send(body);
  expect((await send()).status).toBe(401);
  expect((await send().set('Authorization', 'Bearer no.such.token')).status).toBe(401);
});

test('a compressed body is refused', async () => {
  const { token } = await tenant();
  const body = gzipSync(JSON.stringify({ query: '{ __typename }', padding: ' '.repeat(50_000_000) }));
  const { status } = await requestTo(server.app)
    .post('/graphql')
    .set({ Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' })
    .send(body as never);
  expect(status).toBe(415);
});

test('JSON of any shape is answered', async () => {
  const send = async (json: string) =>
    requestTo(server.app)
      .post('/graphql')
      .set({ Authorization: `Bearer ${(await tenant()).token}`, 'Content-Type': 'application/json' })
      .send(json);
  for (const json of [
    '['.repeat(1_900_000),
    `${'['.repeat(900_000)}${']'.repeat(900_000)}`,
    `{"query": "{ __typename }", "variables": {"a": ${'['.repeat(900_000)}${']'.repeat(900_000)}}}`,
    `{"query": "{ __typename }", "variables": {"a": [${'{},'.repeat(600_000)}{}]}}`,
    `{${Array.from({ length: 150_000 }, (_, n) => `"${n}a":1`).join()}}`,
    `"${'x'.repeat(1_900_000)}"`,
    `{"query": "${'{a'.repeat(900_000)}"}`,
    `{"query": 1${' '.repeat(200_000)}`,
  ]) {
    const { status, body } = await send(json);
    expect(status).toBe(400);
    expect(body.errors).toHaveLength(1);
  }
}, 60_000);

/** Begins a request of `bytes`, and sends all but the last of them. */
async function begin({ token }: Tenant, bytes: number, declared = true): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  const length = declared ? `Content-Length: ${bytes}` : 'Transfer-Encoding: chunked';
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${length}\r\n\r\n`,
  );
  const sent = bytes - 1;
  socket.write(declared ? ' '.repeat(sent) : `${sent.toString(16)}\r\n${' '.repeat(sent)}\r\n`);
  return socket;
}

/** The status of a large request. */
async function sendLarge(tenant: Tenant): Promise<number> {
  return (await tenant.graphql('{ __typename }').send({ padding: 'x'.repeat(1_500_000) } as never)).status;
}

test.each([true, false])(
  'bodies under way have a bounded memory, for each tenant (length declared: %s)',
  async (declared) => {
    const [ada, bob] = [await tenant(), await tenant()];
    let sockets: Socket[] = [];
    // More of ada's is refused as long as these last, which is a few seconds; bob, and what is small, is not.
    for (let tries = 0; (await sendLarge(ada)) !== 503; tries++) {
      if (tries % 10 > 0) continue;
      for (const socket of sockets) socket.destroy();
      sockets = await Promise.all([1, 2, 3, 4, 5, 6].map(() => begin(ada, 1_250_000, declared)));
    }
    expect(await sendLarge(bob)).toBe(200);
    expect((await ada.graphql('{ __typename }')).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    while ((await sendLarge(ada)) !== 200) await new Promise((resolve) => setTimeout(resolve, 100));
  },
  60_000,
);
