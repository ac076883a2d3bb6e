import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../../server/http/log.ts';
import { createTestDatabase } from '../../support/database.ts';
import { requestTo } from '../../support/requestTo.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';
import { openSocket, subscribed, todoChanged } from '../../support/socket.ts';
import { whileHeld } from '../../support/whileHeld.ts';

let server: TestServer;
let url: string;
let ada: Tenant;
let bob: Tenant;
let todo: string;
let logged = '';

beforeAll(async () => {
  const log = createLog(
    'warn',
    new Writable({
      write(chunk, _encoding, done) {
        logged += chunk;
        done();
      },
    }),
  );
  const db = await createTestDatabase();
  // The lock below is held until the other requests have done what the test wants of them, however long that takes.
  await db.asAdmin(`do $$ begin
    execute format('alter role hedgerow_authenticator in database %I set lock_timeout = 0', current_database());
    execute format('alter role hedgerow_authenticator in database %I set statement_timeout = 0', current_database());
  end $$`);
  server = { ...(await serve(db, { admission: { perTenant: 1, queue: 2 }, log, requestTimeout: 60 })), db };
  url = await server.listen();
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
  const { body } = await ada.graphql('mutation { createTodo(input: { todo: { title: "x" } }) { todo { rowId } } }');
  todo = body.data.createTodo.todo.rowId;
});
afterAll(async () => {
  await server.close();
  await server.db.drop();
});

const waiting = async () => metric(await requestTo(server.app).get('/metrics'), 'admission_waiting');

function metric({ text }: { text: string }, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10);
}

/** Runs `work` while one request of Ada's waits for a lock, and so holds her only place. */
async function whileAdaIsBusy<T>(work: () => Promise<T>): Promise<T> {
  const statement = 'select from app_public.todos where id = $1 for update';
  const rename = `mutation { updateTodo(input: { rowId: "${todo}", patch: { title: "y" } }) { todo { title } } }`;
  let result: Promise<T> | undefined;
  let answered: Promise<unknown> = Promise.resolve();
  await whileHeld(server.db, { statement, values: [todo] }, 2, async () => {
    answered = Promise.resolve(ada.graphql(rename).then(({ body }) => body));
    const blocked = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until(async () => (await server.db.asAdmin(blocked)).length > 0);
    result = work();
    await result;
  });
  expect(await answered).toMatchObject({ data: { updateTodo: { todo: { title: 'y' } } } });
  return (await result) as T;
}

const list = ({ graphql }: Tenant) => graphql('{ todos { nodes { title } } }').then((response) => response);

test('requests of a tenant beyond its queue answer 429, and another tenant is answered meanwhile', async () => {
  const [queued, [refused, other]] = await whileAdaIsBusy(async () => {
    const queued = [list(ada), list(ada)];
    await until(async () => (await waiting()) === 2);
    return [queued, await Promise.all([list(ada), list(bob)])] as const;
  });
  expect(refused.status).toBe(429);
  expect(refused.headers).toMatchObject({
    'retry-after': '1',
    'content-type': 'application/problem+json; charset=utf-8',
  });
  expect(refused.body).toMatchObject({
    status: 429,
    detail: 'Too many requests of this account are waiting. Send fewer at a time.',
    errors: [{ extensions: { code: 'UNAVAILABLE' } }],
  });
  expect(other.status).toBe(200);
  for (const answer of await Promise.all(queued)) expect(answer.status).toBe(200);
  expect(logged).toContain(`"userId":"${ada.id}"`);
  expect(logged).toContain('requests of a tenant are refused');
  expect(logged).not.toContain(ada.token);
});

test("routes below /auth take turns with the tenant's other requests, and those of signing in do not", async () => {
  const me = ({ token }: Tenant) =>
    requestTo(server.app)
      .get('/auth/me')
      .auth(token, { type: 'bearer' })
      .then((r) => r);
  const queued = await whileAdaIsBusy(async () => {
    const queued = me(ada);
    await until(async () => (await waiting()) === 1);
    expect((await me(bob)).status).toBe(200);
    const { email, password } = ada;
    expect((await requestTo(server.app).post('/auth/login').send({ email, password })).status).toBe(200);
    return [queued];
  });
  expect((await queued[0])?.status).toBe(200);
});

test("the rows of a subscription's events are read in the tenant's turn, and none is lost", async () => {
  const socket = await subscribed(url, ada.token, todoChanged);
  await whileAdaIsBusy(async () => {
    await server.db.asAdmin(`insert into app_public.todos (user_id, title) values ($1, 'new')`, [ada.id]);
    await until(async () => (await waiting()) > 0);
  });
  expect(await socket.event()).toMatchObject({ event: 'INSERT', todo: { title: 'new' } });
  socket.raw.close();
});

test('a socket that sends messages without end is closed, and the server goes on', async () => {
  const socket = await openSocket(url, ada.token);
  for (let message = 0; message < 1000; message++) socket.send({ id: 'x', type: 'complete' });
  expect(await socket.closed).toEqual({ code: 4429, reason: 'Too many messages' });
  expect((await list(ada)).status).toBe(200);
});
