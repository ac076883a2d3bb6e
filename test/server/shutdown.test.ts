import { once } from 'node:events';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';
import { requestTo } from '../support/requestTo.ts';
import { Socket, subscribed, todoChanged } from '../support/socket.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterEach(killServers);
afterAll(() => db.drop());

const production = () => spawnServer({ ...productionEnv(db), DRAIN_DELAY: '1' });

async function signUp(url: string, username: string): Promise<string> {
  const account = { email: `${username}@example.com`, username, password: 'a long password' };
  return (await requestTo(url).post('/auth/register').send(account).expect(201)).body.accessToken;
}

const graphql = (url: string, token: string, query: string) =>
  requestTo(url).post('/graphql').set('Authorization', `Bearer ${token}`).send({ query });

test('a good database is served, without GraphiQL and without introspection', async () => {
  const server = production();
  const url = await server.url;
  await requestTo(url).get('/health').expect(200);
  await requestTo(url).get('/health/db').expect(200);
  for (const path of ['/', '/graphiql', '/ruru-static/ruru.js', '/graphql'])
    expect((await requestTo(url).get(path).set('Accept', 'text/html')).status).toBeGreaterThanOrEqual(400);
  const token = await signUp(url, 'ada');
  const { body } = await graphql(url, token, '{ __schema { types { name } } __type(name: "Todo") { name } }');
  expect(body.data).toBeUndefined();
  expect((await graphql(url, token, '{ currentUser { username } }')).body.data.currentUser.username).toBe('ada');
  server.stop('SIGTERM');
  expect(await server.exitCode).toBe(0);
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  'on %s a request in flight finishes, new ones are refused',
  async (signal) => {
    const server = production();
    const url = await server.url;
    const token = await signUp(url, signal.toLowerCase());
    const blocker = new pg.Client({ connectionString: db.adminUrl });
    await blocker.connect();
    await blocker.query('begin; lock table app_public.todos');

    const inFlight = graphql(
      url,
      token,
      'mutation { createTodo(input: {todo: {title: "late"}}) { todo { title } } }',
    ).then();
    await waitFor(`select from pg_locks where not granted and relation = 'app_public.todos'::regclass`);
    server.stop(signal);
    await expect(untilItFails(`${url}/health/db`)).resolves.toMatch(/503|ECONNREFUSED|ECONNRESET/);
    await blocker.query('commit');
    await blocker.end();

    expect((await inFlight).body).toEqual({ data: { createTodo: { todo: { title: 'late' } } } });
    expect(await server.exitCode).toBe(0);
    await db.asAdmin('delete from app_public.todos');
  },
);

test('on SIGTERM, the server closes sockets with a going-away code, and ends', async () => {
  const server = production();
  const url = await server.url;
  const socket = await subscribed(url, await signUp(url, 'socket'), todoChanged);
  const silent = new Socket(url);
  await once(silent.raw, 'open');
  server.stop('SIGTERM');
  expect(await socket.closed).toEqual({ code: 1001, reason: 'The server is stopping' });
  expect((await silent.closed).code).toBe(1001);
  expect(await server.exitCode).toBe(0);
});

test('on SIGTERM, a socket whose client does not answer is terminated', async () => {
  const server = production();
  const url = await server.url;
  const socket = await subscribed(url, await signUp(url, 'frozen'), todoChanged);
  socket.raw.pause();
  server.stop('SIGTERM');
  expect(await server.exitCode).toBe(0);
  socket.raw.terminate();
});

async function waitFor(query: string): Promise<void> {
  while ((await db.asAdmin(query)).length === 0);
}

/** Asks until the answer is not 200 any more; the status, or why there was none. */
async function untilItFails(url: string): Promise<string> {
  for (;;) {
    try {
      const { status } = await fetch(url, { headers: { Connection: 'close' } });
      if (status !== 200) return String(status);
    } catch (error) {
      return (error as { cause?: { code?: string } }).cause?.code ?? String(error);
    }
  }
}
