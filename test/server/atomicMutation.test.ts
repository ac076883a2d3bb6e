import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { graphqlUntil, signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  // One connection: a mutation that needed a second one would wait for it in vain.
  server = await startTestServer({ poolSize: 1 });
  ada = await signUp(server.app, 'ada');
});
beforeEach(() => server.db.asAdmin('delete from app_public.todos; delete from app_public.lists'));
afterAll(() => server.close());

const titles = async () =>
  (await server.db.asAdmin<{ title: string }>('select title from app_public.todos order by title')).map(
    ({ title }) => title,
  );
const create = (title: string) => `createTodo(input: {todo: {title: "${title}"}}) { todo { rowId title } }`;
const tooLong = 'x'.repeat(256);

test('all fields of a mutation happen', async () => {
  const { body } = await ada.graphql(`mutation { a: ${create('a')} b: ${create('b')} }`);
  expect(body).toEqual({
    data: {
      a: { todo: { rowId: expect.any(String), title: 'a' } },
      b: { todo: { rowId: expect.any(String), title: 'b' } },
    },
  });
  expect(await titles()).toEqual(['a', 'b']);
});

test.each([
  ['a later one', `a: ${create('a')} b: ${create(tooLong)}`, 'b'],
  ['an earlier one', `a: ${create(tooLong)} b: ${create('b')} c: ${create('c')}`, 'a'],
])('none of them happens when %s fails, and only that one is told', async (_, fields, failing) => {
  const { body } = await ada.graphql(`mutation { ${fields} }`).expect(200);
  expect(Object.values(body.data).every((value) => value === null)).toBe(true);
  expect(body.errors).toEqual([
    expect.objectContaining({ path: [failing], extensions: expect.objectContaining({ code: 'BAD_USER_INPUT' }) }),
  ]);
  expect(await titles()).toEqual([]);
});

test('a row that does not exist undoes what was done before it', async () => {
  const missing = '6f8b9c3e-0d84-4c8c-9a3a-5f0d6f0f4f4f';
  for (const second of [
    `deleteTodo(input: {rowId: "${missing}"}) { todo { rowId } }`,
    'deleteTodoById(input: {id: "WyJ0b2RvcyIsIngiXQ=="}) { deletedTodoId }',
  ]) {
    const { body } = await ada.graphql(`mutation { a: ${create('a')} b: ${second} }`);
    expect(body.data).toEqual({ a: null, b: null });
    expect(body.errors).toEqual([expect.objectContaining({ path: ['b'], extensions: { code: 'NOT_FOUND' } })]);
  }
  expect(await titles()).toEqual([]);
});

test('the answer of a mutation is read in its transaction, and shows its writes', async () => {
  const { body } = await ada.graphql(`mutation {
    l: createList(input: {list: {name: "Home"}}) { list { rowId todos { totalCount } } query { lists { nodes { name } } } }
    a: ${create('a')}
    b: createTodo(input: {todo: {title: "b"}}) { query { todos(orderBy: TITLE_ASC) { nodes { title } totalCount } } }
  }`);
  expect(body.errors).toBeUndefined();
  expect(body.data.l).toMatchObject({
    list: { todos: { totalCount: 0 } },
    query: { lists: { nodes: [{ name: 'Home' }] } },
  });
  expect(body.data.b.query.todos).toEqual({ nodes: [{ title: 'a' }, { title: 'b' }], totalCount: 2 });
});

test('an answer that cannot be read undoes the mutation', async () => {
  const document = `mutation { createTodo(input: {todo: {title: "a"}}) {
    todo { rowId } query { todos(filter: {title: {matchesRegex: "("}}) { totalCount } } } }`;
  const operators = await ada.graphql('{ __type(name: "StringFilter") { inputFields { name } } }');
  const regex = operators.body.data.__type.inputFields.map(({ name }: { name: string }) => name);
  const cursor = document.replace('(filter: {title: {matchesRegex: "("}})', '(after: "bm9wZQ==")');
  const { body } = await ada.graphql(regex.includes('matchesRegex') ? document : cursor);
  expect(body.errors).toHaveLength(1);
  expect(body.data).toEqual({ createTodo: null });
  expect(await titles()).toEqual([]);
});

test('a mutation of one statement is one transaction of one round trip, and others one of several', async () => {
  const { transactions } = server.database.counts;
  const before = { ...transactions };
  await ada.graphql(`mutation { ${create('a')} }`);
  expect(transactions.committed - before.committed).toBe(1);
  await ada.graphql(`mutation { a: ${create('b')} b: ${create('c')} c: ${create('d')} }`);
  expect(transactions.committed - before.committed).toBe(2);
  await ada.graphql(`mutation { a: ${create('b')} b: ${create(tooLong)} }`);
  expect(transactions).toEqual({ ...before, committed: before.committed + 2, failed: before.failed + 1 });
});

test('a session that has ended ends a mutation before it begins', async () => {
  const bob = await signUp(server.app, 'bob');
  await server.db.asAdmin('update app_private.sessions set revoked_at = now() where user_id = $1', [bob.id]);
  const { status, body } = await bob.graphql(`mutation { a: ${create('a')} b: ${create('b')} }`);
  expect(status).toBe(401);
  expect(body.errors[0].extensions.code).toBe('UNAUTHENTICATED');
  expect(await titles()).toEqual([]);
});

test('concurrent mutations on one connection do not see each other', async () => {
  const bob = await signUp(server.app, 'carol');
  const answers = await Promise.all(
    [ada, bob, ada, bob, ada, bob].map((tenant, n) =>
      tenant.graphql(`mutation { a: ${create(`${n}a`)} b: ${create(n % 3 === 2 ? tooLong : `${n}b`)} }`),
    ),
  );
  expect(answers.map(({ body }) => body.errors?.length ?? 0)).toEqual([0, 0, 1, 0, 0, 1]);
  expect(await titles()).toEqual(['0a', '0b', '1a', '1b', '3a', '3b', '4a', '4b']);
  expect((await ada.graphql('{ todos { totalCount } }')).body.data.todos.totalCount).toBe(4);
});

test('a client that disconnects during a mutation leaves no writes and no connection in use', async () => {
  const blocker = new pg.Client({ connectionString: server.db.adminUrl });
  await blocker.connect();
  await blocker.query('begin; lock table app_public.lists');
  const query = `mutation { a: ${create('a')} l: createList(input: {list: {name: "late"}}) { list { rowId } } }`;
  const leaving = new AbortController();
  const gone = graphqlUntil(leaving.signal, await server.listen(), ada, { query }).catch(() => 'gone');
  // Until its second statement waits for the lock.
  const waiting = "select from pg_locks where not granted and relation = 'app_public.lists'::regclass";
  while ((await server.db.asAdmin(waiting)).length === 0) await sleep(10);
  leaving.abort();
  expect(await gone).toBe('gone');
  await blocker.query('rollback');
  await blocker.end();
  await ada.graphql(`mutation { a: ${create('b')} b: ${create('c')} }`).expect(200);
  expect(await titles()).toEqual(['b', 'c']);
  expect(server.database.load()).toMatchObject({ open: 1, idle: 1, waiting: 0 });
});
