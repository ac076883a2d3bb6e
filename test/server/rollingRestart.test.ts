import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import pg from 'pg';
import { getThrough } from '../support/agent.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { killServers, productionEnv, type ServerProcess, spawnServer } from '../support/process.ts';
import { requestTo } from '../support/requestTo.ts';
import { subscribed, todoChanged } from '../support/socket.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterEach(killServers);
afterAll(() => db.drop());

/** A server that has been told to stop and is draining, for as long as no test takes. */
async function draining(): Promise<{ server: ServerProcess; url: string; agent: Agent }> {
  const server = start(200);
  const url = await server.url;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect((await getThrough(agent, `${url}/health/db`)).headers.connection).toBe('keep-alive');
  void server.stop('SIGTERM');
  await server.line(/stopping: requests are served/);
  return { server, url, agent };
}

const start = (drainDelay: number) => spawnServer({ ...productionEnv(db), DRAIN_DELAY: String(drainDelay) });

async function signUp(url: string, username: string): Promise<string> {
  const account = { email: `${username}@example.com`, username, password: 'a long password' };
  return (await requestTo(url).post('/auth/register').send(account).expect(201)).body.accessToken;
}

test('a draining server tells probes so, and serves what arrives with Connection: close', async () => {
  const { server, url, agent } = await draining();
  const probe = await fetch(`${url}/health/db`);
  expect([probe.status, await probe.json()]).toMatchObject([503, { reasons: ['the server is stopping'] }]);
  const token = await signUp(url, 'drained');
  const answer = await getThrough(agent, `${url}/auth/me`, { Authorization: `Bearer ${token}` });
  expect([answer.statusCode, answer.headers.connection]).toEqual([200, 'close']);
  const socket = await subscribed(url, token, todoChanged);
  socket.raw.terminate();
  agent.destroy();
  await server.stop('SIGKILL');
}, 60_000);

test.each(['SIGTERM', 'SIGINT'] as const)(
  'a second signal, %s, ends the process at once',
  async (signal) => {
    const { server, url, agent } = await draining();
    const token = await signUp(url, signal.toLowerCase());
    const socket = await subscribed(url, token, todoChanged);
    socket.raw.pause();
    const blocker = new pg.Client({ connectionString: db.adminUrl });
    await blocker.connect();
    await blocker.query('begin; lock table app_public.todos');
    const query = JSON.stringify({ query: 'mutation { createTodo(input: {todo: {title: "x"}}) { todo { title } } }' });
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    const inFlight = fetch(`${url}/graphql`, { method: 'POST', headers, body: query }).then(
      () => 'answered',
      () => 'cut',
    );
    while (
      (await db.asAdmin("select from pg_locks where not granted and relation = 'app_public.todos'::regclass"))
        .length === 0
    );
    expect(await server.stop(signal)).toBe(0);
    expect(await inFlight).toBe('cut');
    await blocker.end();
    socket.raw.terminate();
    agent.destroy();
  },
  60_000,
);

test('a request that does not finish is cut, and the process ends', async () => {
  const server = start(1);
  const { hostname, port } = new URL(await server.url);
  const socket = connect(Number(port), hostname);
  const closed = once(socket, 'close');
  socket.on('error', () => {});
  socket.write('POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{');
  await once(socket, 'connect');
  expect(await server.stop('SIGTERM')).toBe(0);
  expect(server.output()).toMatch(/"level":40.*connections of unfinished requests are cut/);
  await closed;
}, 60_000);
