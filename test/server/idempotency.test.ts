import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { clearExpired } from '../../server/auth/rateLimits/expiry.ts';
import { idempotencyLimits } from '../../server/graphql/idempotency.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import { graphqlUntil, signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

let server: TestServer;
let ada: Tenant;
let bob: Tenant;
beforeAll(async () => {
  server = await startTestServer();
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
});
beforeEach(() => server.db.asAdmin('delete from app_public.todos'));
afterAll(() => server.close());

const document =
  'mutation Create($title: String!) { createTodo(input: {todo: {title: $title}}) { todo { rowId title } } }';
const create = (tenant: Tenant, key: string, title = 'a') =>
  tenant.graphql(document, { title }).set('Idempotency-Key', key);
const count = async () =>
  (await server.db.asAdmin<{ count: number }>('select count(*)::int as count from app_public.todos'))[0]?.count;

test('the same request with the same key is done once, and answered alike', async () => {
  const key = randomUUID();
  const first = await create(ada, key).expect(200);
  expect(first.body.data.createTodo.todo.title).toBe('a');
  for (const again of [await create(ada, key), await create(ada, key)]) {
    expect(again.status).toBe(200);
    expect(again.text).toBe(first.text);
  }
  expect(await count()).toBe(1);
});

test('another key, or none, is another request', async () => {
  await create(ada, randomUUID());
  await create(ada, randomUUID());
  await ada.graphql(document, { title: 'a' });
  expect(await count()).toBe(3);
});

test.each([
  ['other variables', { title: 'b' }, document],
  ['another operation', { title: 'a' }, document.replace('title }', 'title priority }')],
])('the same key with %s is a conflict, and does nothing', async (_, variables, text) => {
  const key = randomUUID();
  await create(ada, key).expect(200);
  const { body } = await ada.graphql(text, variables).set('Idempotency-Key', key).expect(409);
  expect(body.errors[0]).toMatchObject({
    message: 'This Idempotency-Key was used for another request.',
    extensions: { code: 'CONFLICT' },
  });
  expect(body.data ?? null).toBeNull();
  expect(await count()).toBe(1);
});

test('a key is its user’s own', async () => {
  const key = randomUUID();
  const [first, second] = [await create(ada, key), await create(bob, key)];
  expect(second.status).toBe(200);
  expect(second.body.data.createTodo.todo.rowId).not.toBe(first.body.data.createTodo.todo.rowId);
  expect((await create(bob, key, 'b')).status).toBe(409);
  expect((await create(bob, key)).text).toBe(second.text);
  expect((await bob.graphql('{ todos { totalCount } }')).body.data.todos.totalCount).toBe(1);
});

test('twenty at once are one', async () => {
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 20 }, () => create(ada, key)));
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(await count()).toBe(1);
});

test('what failed was not done, and may be tried again with the same key', async () => {
  const key = randomUUID();
  const failing = `mutation { a: createTodo(input: {todo: {title: "a"}}) { todo { rowId } }
    b: createTodo(input: {todo: {title: "b", listId: "${randomUUID()}"}}) { todo { rowId } } }`;
  const send = () => ada.graphql(failing).set('Idempotency-Key', key);
  for (const { body } of [await send(), await send()]) {
    expect(body).toMatchObject({ data: { a: null, b: null }, errors: [{ path: ['b'] }] });
  }
  expect(await count()).toBe(0);
});

test('a client that had gone before the commit does it again; one that went after it does not', async () => {
  const [before, after] = [randomUUID(), randomUUID()];
  const blocker = new pg.Client({ connectionString: server.db.adminUrl });
  await blocker.connect();
  await blocker.query('begin; lock table app_public.todos');
  const body = { query: document, variables: { title: 'a' } };
  const headers = { 'idempotency-key': before };
  const gone = graphqlUntil(AbortSignal.timeout(300), await server.listen(), ada, body, headers);
  await expect(gone).rejects.toMatchObject({ name: 'TimeoutError' });
  await blocker.query('rollback');
  await blocker.end();
  await create(ada, before).expect(200);
  expect(await count()).toBe(1);
  await create(ada, after).expect(200);
  await create(ada, after).expect(200);
  expect(await count()).toBe(2);
});

test('a key is forgotten after a day', async () => {
  const key = randomUUID();
  await create(ada, key).expect(200);
  await server.db.asAdmin("update app_public.idempotency_keys set created_at = now() - interval '25 hours'");
  await create(ada, key, 'b').expect(200);
  expect(await count()).toBe(2);
  expect(await server.db.asAdmin('select from app_public.idempotency_keys where user_id = $1', [ada.id])).toHaveLength(
    1,
  );
});

test('keys of all tenants are cleared after a day, and none before', async () => {
  const [old, young] = [randomUUID(), randomUUID()];
  for (const key of [old, young]) await Promise.all([create(ada, key).expect(200), create(bob, key).expect(200)]);
  await server.db.asAdmin(
    `update app_public.idempotency_keys set created_at = now() - interval '24 hours 1 minute' where key = $1`,
    [old],
  );
  const signIn = server.database.as(Identity.signIn);
  // Its role sees no key that a tenant may still use.
  expect(await signIn.query({ text: 'select key from app_public.idempotency_keys' })).toMatchObject({ rowCount: 2 });
  await expect(signIn.query({ text: 'select answer from app_public.idempotency_keys' })).rejects.toMatchObject({
    code: '42501',
  });
  await clearExpired(signIn);
  const keys = await server.db.asAdmin<{ key: string }>('select key from app_public.idempotency_keys');
  expect(keys.filter(({ key }) => key === old)).toEqual([]);
  expect(keys.filter(({ key }) => key === young)).toHaveLength(2);
});

test('an answer that is too large to be kept is refused, and its mutation has not happened', async () => {
  const aliases = Array.from({ length: 10 }, (_, n) => `a${n}: description`).join(' ');
  const text = `mutation ($todos: [TodoInput!]!) { createTodos(input: {todos: $todos}) { todos { ${aliases} } } }`;
  const todos = Array.from({ length: 100 }, () => ({ title: 'x', description: 'y'.repeat(2500) }));
  const key = randomUUID();
  const send = () => ada.graphql(text, { todos });
  const { body } = await send().set('Idempotency-Key', key);
  expect(body).toEqual({
    errors: [
      {
        message: `the answer to a mutation with an Idempotency-Key has more than ${idempotencyLimits.answer} bytes`,
        extensions: { code: 'TOO_COMPLEX' },
      },
    ],
  });
  expect(await count()).toBe(0);
  expect((await send()).body.errors).toBeUndefined();
  expect(await count()).toBe(100);
});

test('a tenant keeps a bounded number of keys, and others are none the worse', async () => {
  const carol = await signUp(server.app, 'carol');
  await server.db.asAdmin(
    `insert into app_public.idempotency_keys (user_id, key, request_hash, answer)
      select $1, 'key ' || n, sha256('x'), '{}' from generate_series(1, $2) n`,
    [carol.id, idempotencyLimits.keys],
  );
  const { body } = await create(carol, randomUUID());
  expect(body.errors).toMatchObject([
    { message: expect.stringContaining(`more than ${idempotencyLimits.keys}`), extensions: { code: 'TOO_COMPLEX' } },
  ]);
  expect(await count()).toBe(0);
  // The refusal comes before the mutation's work, which would fail otherwise.
  const tooLong = await carol.graphql(document, { title: 'x'.repeat(10_000) }).set('Idempotency-Key', randomUUID());
  expect(tooLong.body.errors).toMatchObject([{ extensions: { code: 'TOO_COMPLEX' } }]);
  await create(bob, randomUUID()).expect(200);
  expect((await carol.graphql(document, { title: 'without a key' })).body.errors).toBeUndefined();
  await server.db.asAdmin(`update app_public.idempotency_keys set created_at = now() - interval '25 hours'`);
  expect((await create(carol, randomUUID())).body.errors).toBeUndefined();
});

test.each(['', 'a b', 'x'.repeat(256)])('%j is no key', async (key) => {
  const { body } = await create(ada, key);
  expect(body.errors[0]).toMatchObject({
    message: 'Idempotency-Key must have 1 to 255 visible ASCII characters',
    extensions: { code: 'BAD_USER_INPUT' },
  });
  expect(await count()).toBe(0);
});

test('queries pay no attention to it', async () => {
  const key = randomUUID();
  const titles = () => ada.graphql('{ todos { totalCount } }').set('Idempotency-Key', key);
  expect((await titles()).body.data.todos.totalCount).toBe(0);
  await create(ada, key).expect(200);
  expect((await titles()).body.data.todos.totalCount).toBe(1);
});
