import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { makeRows, type Names, withVariables } from '../support/rows.ts';
import { graphql, signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

let server: TestServer;
let ada: Tenant;
let bob: Tenant;
let adas: Names;
let nobodys: Names;

beforeAll(async () => {
  server = await startTestServer();
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
  adas = await makeRows(ada, "ada's secret");
  nobodys = await unusedNames();
  await makeRows(bob, 'not secret');
});
afterAll(() => server.close());

/** Names that once were good, of an account that is gone. */
async function unusedNames(): Promise<Names> {
  const gone = await signUp(server.app, `gone-${randomUUID().slice(0, 8)}`);
  const names = await makeRows(gone, 'gone');
  await server.db.asAdmin('delete from app_public.users where id = $1', [gone.id]);
  return names;
}

/** All that ada has, with the version of each row: a row that was written, even as it was, has another one. */
function everythingOfAda(): Promise<unknown> {
  return server.db.asAdmin(
    `select 'user', u.xmin::text, to_jsonb(u) from app_public.users u where id = $1
    union all select 'list', l.xmin::text, to_jsonb(l) from app_public.lists l where user_id = $1
    union all select 'todo', t.xmin::text, to_jsonb(t) from app_public.todos t where user_id = $1
    order by 1, 3`,
    [ada.id],
  );
}

const reads = [
  '{ todo(rowId: $todoRow) { title } }',
  '{ todoById(id: $todo) { title } }',
  '{ node(id: $todo) { id ... on Todo { title } } }',
  '{ node(id: $list) { id ... on List { name todos { nodes { title } } } } }',
  '{ node(id: $user) { id ... on User { email todos { totalCount } } } }',
  '{ list(rowId: $listRow) { name todos { nodes { title } } } }',
  '{ listById(id: $list) { name user { email } } }',
  '{ listByName(name: $listName) { name } }',
  '{ userById(id: $user) { email lists { nodes { name } } } }',
  '{ todos(condition: {rowId: $todoRow}) { nodes { title } totalCount } }',
  '{ todos(condition: {listId: $listRow}) { nodes { title } totalCount } }',
  '{ todos(filter: {rowId: {in: [$todoRow]}}) { edges { cursor node { title } } totalCount } }',
  '{ todos(filter: {not: {rowId: {notEqualTo: $todoRow}}}) { nodes { title } } }',
  '{ todos(filter: {list: {name: {equalTo: $listName}}}) { nodes { title list { name } } } }',
  '{ todos(filter: {user: {rowId: {equalTo: $userRow}}}) { nodes { title user { email } } } }',
  '{ lists(condition: {rowId: $listRow}) { nodes { name user { username } } totalCount } }',
  '{ lists(filter: {todos: {some: {rowId: {equalTo: $todoRow}}}}) { nodes { name } } }',
  '{ lists(filter: {user: {todos: {some: {rowId: {equalTo: $todoRow}}}}}) { nodes { name } } }',
  '{ currentUser { todos(condition: {rowId: $todoRow}) { nodes { title } } } }',
  '{ query { currentUser { lists(condition: {rowId: $listRow}) { nodes { name } } } } }',
  '{ searchTodos(query: "secert") { nodes { title list { name } } totalCount } }',
  '{ searchTodos(query: "ada secr") { nodes { title list { name } } totalCount } }',
];

test.each(reads)('a stranger reads nothing with %s', async (selection) => {
  const document = withVariables('query', selection);
  const own = await ada.graphql(document, { ...adas }).expect(200);
  expect(own.body.errors).toBeUndefined();
  expect(JSON.stringify(own.body.data)).toMatch(/ada/);

  const answer = await bob.graphql(document, { ...adas }).expect(200);
  expect(answer.body.errors).toBeUndefined();
  expect(answer.text).not.toMatch(/ada/);
  expect(answer.body).toEqual((await bob.graphql(document, { ...nobodys })).body);
});

const writes = [
  'updateTodo(input: {rowId: $todoRow, patch: {title: "taken"}}) { todo { title } }',
  'updateTodoById(input: {id: $todo, patch: {completed: true}}) { todo { title } }',
  'updateList(input: {rowId: $listRow, patch: {name: "taken"}}) { list { name } }',
  'updateListById(input: {id: $list, patch: {name: "taken by id"}}) { list { name todos { nodes { title } } } }',
  'updateListByName(input: {name: $listName, patch: {name: "taken by name"}}) { list { name } }',
  'deleteTodo(input: {rowId: $todoRow}) { todo { title } deletedTodoId }',
  'deleteTodoById(input: {id: $todo}) { todo { title } }',
  'deleteList(input: {rowId: $listRow}) { list { name } deletedListId }',
  'deleteListById(input: {id: $list}) { list { name } }',
  'deleteListByName(input: {name: $listName}) { list { name } }',
  'updateTodos(input: {updates: [{rowId: $todoRow, patch: {title: "taken"}}]}) { todos { title } }',
  'completeTodos(input: {rowIds: [$todoRow]}) { todos { title } }',
  'deleteTodos(input: {rowIds: [$todoRow]}) { deletedRowIds }',
  'updateLists(input: {updates: [{rowId: $listRow, patch: {name: "taken in a batch"}}]}) { lists { name } }',
  'deleteLists(input: {rowIds: [$listRow]}) { deletedRowIds }',
];

test.each(writes)('a stranger changes nothing with %s', async (mutation) => {
  const document = withVariables('mutation', `{ ${mutation} }`);
  const fresh = await makeRows(ada, "ada's own");
  const untouched = await everythingOfAda();
  expect((await ada.graphql(document, { ...fresh }).expect(200)).body.errors).toBeUndefined();
  const before = await everythingOfAda();
  expect(before).not.toEqual(untouched);

  const answer = await bob.graphql(document, { ...adas });
  expect(await everythingOfAda()).toEqual(before);
  expect(answer.body.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  const none = await bob.graphql(document, { ...nobodys });
  expect([answer.status, answer.body]).toEqual([none.status, none.body]);
});

const attachments = [
  'createTodo(input: {todo: {title: "mine", listId: $listRow}}) { todo { list { name } } }',
  'updateTodo(input: {rowId: $ownRow, patch: {listId: $listRow}}) { todo { list { name } } }',
  'updateTodoById(input: {id: $own, patch: {listId: $listRow}}) { todo { list { name } } }',
  'createTodos(input: {todos: [{title: "mine", listId: $listRow}]}) { todos { list { name } } }',
  'updateTodos(input: {updates: [{rowId: $ownRow, patch: {listId: $listRow}}]}) { todos { list { name } } }',
];

test.each(attachments)('a stranger puts nothing into the list with %s', async (mutation) => {
  const document = withVariables('mutation', `{ ${mutation} }`);
  const [own, bobs] = [await makeRows(ada, "ada's own"), await makeRows(bob, 'not secret')];
  const attach = (tenant: Tenant, { todo, todoRow }: Names, { listRow }: Names) =>
    tenant.graphql(document, { own: todo, ownRow: todoRow, listRow });
  expect((await attach(ada, own, adas)).text).toContain(adas.listName);
  const before = await everythingOfAda();

  const answer = await attach(bob, bobs, adas);
  expect(await everythingOfAda()).toEqual(before);
  expect(answer.body.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  const none = await attach(bob, bobs, nobodys);
  expect([answer.status, answer.body]).toEqual([none.status, none.body]);
  expect(
    await server.db.asAdmin('select from app_public.todos where list_id = $1 and user_id <> $2', [
      adas.listRow,
      ada.id,
    ]),
  ).toEqual([]);
});

test.each([
  ['no token', undefined],
  ['an empty token', ''],
  ['a token that is garbage', 'garbage'],
  [
    'a token signed with another key',
    jwt.sign({ sid: randomUUID() }, 'x'.repeat(40), { subject: randomUUID(), expiresIn: 60 }),
  ],
])('%s gets 401 and nothing else', async (_, token) => {
  const answer = await graphql(server.app, token, withVariables('query', '{ todo(rowId: $todoRow) { title } }'), {
    ...adas,
  });
  const message = 'A valid access token is needed: Authorization: Bearer <token>.';
  expect(answer.status).toBe(401);
  expect(JSON.parse(answer.text)).toEqual({
    ...{ type: 'about:blank', title: 'Unauthorized', status: 401, detail: message },
    errors: [{ message, extensions: { code: 'UNAUTHENTICATED' } }],
  });
});

test.each(writes.filter((mutation) => mutation.includes('TodoById')))(
  'an id that is of no todo at all names no row: %s',
  async (mutation) => {
    for (const todo of [adas.list, adas.user, 'garbage', '']) {
      const { body } = await bob.graphql(withVariables('mutation', `{ ${mutation} }`), { todo });
      expect(body.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    }
  },
);

test('every mutation of the rows of users is attacked here', async () => {
  const { body } = await ada.graphql('{ __schema { mutationType { fields { name } } } }');
  const all: string[] = body.data.__schema.mutationType.fields.map(({ name }: { name: string }) => name);
  // test/server/graphql/organizations.test.ts has those of organizations.
  const names = all.filter((name) => !/Projects?|Tasks?/.test(name));
  const attacked = new Set(
    [...writes, ...attachments, 'createList(', 'createLists('].map((mutation) => mutation.split('(')[0]),
  );
  expect(names.filter((name) => !attacked.has(name))).toEqual([]);
});
