import { randomUUID } from 'node:crypto';
import { makeRows, type Names, withVariables } from '../support/rows.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

let server: TestServer;
let ada: Tenant;
let bob: Tenant;
let adas: Names;
let bobs: Names;

beforeAll(async () => {
  server = await startTestServer();
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
  [adas, bobs] = [await makeRows(ada, "ada's"), await makeRows(bob, "bob's")];
});
afterAll(() => server.close());

function allRows(): Promise<unknown> {
  return server.db.asAdmin(
    `select xmin::text, to_jsonb(l) as row from app_public.lists l
    union all select xmin::text, to_jsonb(t) from app_public.todos t order by 2`,
  );
}

const inputs = [
  'mutation { createTodo(input: {todo: {title: "x", userId: $userRow}}) { todo { rowId } } }',
  'mutation { createTodo(input: {userId: $userRow, todo: {title: "x"}}) { todo { rowId } } }',
  'mutation { createTodo(input: {todo: {title: "x", user: {rowId: $userRow}}}) { todo { rowId } } }',
  'mutation { createList(input: {list: {name: "x", userId: $userRow}}) { list { rowId } } }',
  'mutation { updateTodo(input: {rowId: $ownRow, patch: {userId: $userRow}}) { todo { rowId } } }',
  'mutation { updateTodoById(input: {id: $own, patch: {userId: $userRow}}) { todo { rowId } } }',
  'mutation { updateTodo(input: {rowId: $todoRow, userId: $userRow, patch: {title: "x"}}) { todo { rowId } } }',
  'mutation { deleteTodo(input: {rowId: $todoRow, userId: $userRow}) { todo { rowId } } }',
  'query { todo(rowId: $todoRow, userId: $userRow) { title } }',
  'query { todos(condition: {userId: $userRow}) { totalCount } }',
  'query { todos(filter: {userId: {equalTo: $userRow}}) { totalCount } }',
  'query { lists(filter: {todos: {some: {userId: {equalTo: $userRow}}}}) { totalCount } }',
  'query { todos(orderBy: USER_ID_ASC) { totalCount } }',
  'query { todos { nodes { userId } } }',
  'query { user(rowId: $userRow) { email } }',
  'query { users { nodes { email } } }',
];

test.each(inputs)('whose row it is cannot be said: %s', async (document) => {
  const before = await allRows();
  const [operation, selection] = document.split(/ (.*)/) as ['query' | 'mutation', string];
  const variables = { ...adas, own: bobs.todo, ownRow: bobs.todoRow };
  const { body } = await bob.graphql(withVariables(operation, selection), variables);
  expect(body.data).toBeUndefined();
  expect(body.errors[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
  expect(await allRows()).toEqual(before);
});

test.each([
  ['TodoInput!', 'createTodo(input: {todo: $value}) { todo { rowId } }', { title: 'x' }],
  ['ListInput!', 'createList(input: {list: $value}) { list { rowId } }', { name: 'x' }],
])('nor inside a variable of type %s', async (type, mutation, value) => {
  const document = `mutation ($value: ${type}) { ${mutation} }`;
  const before = await allRows();
  for (const name of ['userId', 'user_id', 'user']) {
    const { body } = await bob.graphql(document, { value: { ...value, [name]: ada.id } });
    expect(body.data).toBeUndefined();
    expect(body.errors[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
  }
  expect(await allRows()).toEqual(before);
  expect((await bob.graphql(document, { value })).body.errors).toBeUndefined();
});

test("what a tenant creates is that tenant's", async () => {
  const { todoRow, listRow } = await makeRows(bob, "bob's own");
  const rows = await server.db.asAdmin(
    `select user_id from app_public.todos where id = $1
    union all select user_id from app_public.lists where id = $2`,
    [todoRow, listRow],
  );
  expect(rows).toEqual([{ user_id: bob.id }, { user_id: bob.id }]);
});

test("the query inside a mutation's answer sees one tenant", async () => {
  const answer = await bob.graphql(
    `mutation ($id: UUID!) { createTodo(input: {todo: {rowId: $id, title: "bob's"}}) {
      query { todos { nodes { title user { username } } } currentUser { username lists { nodes { name } } } }
    } }`,
    { id: randomUUID() },
  );
  expect(answer.body.data.createTodo.query.currentUser.username).toBe('bob');
  expect(answer.text).not.toMatch(/ada/);
});

test("another tenant's ids and names are free to take, so taking them tells nothing", async () => {
  const before = await server.db.asAdmin('select xmin::text, * from app_public.todos where user_id = $1', [ada.id]);
  const { body } = await bob.graphql(
    `mutation ($todoRow: UUID!, $listRow: UUID!, $listName: String!) {
      createList(input: {list: {rowId: $listRow, name: $listName}}) { list { rowId todos { totalCount } } }
      createTodo(input: {todo: {rowId: $todoRow, listId: $listRow, title: "bob's"}}) { todo { title list { name } } }
    }`,
    { ...adas },
  );
  expect(body).toEqual({
    data: {
      createList: { list: { rowId: adas.listRow, todos: { totalCount: 0 } } },
      createTodo: { todo: { title: "bob's", list: { name: adas.listName } } },
    },
  });
  const titles = { query: 'query ($todo: ID!) { todoById(id: $todo) { title } }', variables: { todo: adas.todo } };
  expect((await bob.graphql(titles.query, titles.variables)).body.data.todoById.title).toBe("bob's");
  expect((await ada.graphql(titles.query, titles.variables)).body.data.todoById.title).toBe("ada's");
  expect(await server.db.asAdmin('select xmin::text, * from app_public.todos where user_id = $1', [ada.id])).toEqual(
    before,
  );
  expect(
    (
      await bob.graphql(
        'mutation ($todo: ID!) { deleteTodoById(input: {id: $todo}) { deletedTodoId } }',
        titles.variables,
      )
    ).body.errors,
  ).toBeUndefined();
  expect(await server.db.asAdmin('select xmin::text, * from app_public.todos where user_id = $1', [ada.id])).toEqual(
    before,
  );
});

test("another tenant's cursor leads to nothing but one's own rows", async () => {
  const page = '{ edges { cursor node { title } } }';
  const { body } = await ada.graphql(`{ todos(orderBy: TITLE_ASC) ${page} }`);
  const { cursor } = body.data.todos.edges[0];
  for (const argument of ['after', 'before']) {
    const answer = await bob.graphql(
      `query ($cursor: Cursor) { todos(orderBy: TITLE_ASC, ${argument}: $cursor) ${page} }`,
      {
        cursor,
      },
    );
    expect(answer.body.errors).toBeUndefined();
    expect(answer.text).not.toMatch(/ada/);
  }
});
