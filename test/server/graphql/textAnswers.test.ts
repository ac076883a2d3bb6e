import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

// A short query is answered with a text of Grafast's, others with values. An alias at the root makes it one of the others.
let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer({ production: true });
  ada = await signUp(server.app, 'ada');
  await server.db.asAdmin(
    `with list as (insert into app_public.lists (user_id, name) select $1, 'List ' || n from generate_series(1, 3) n
       returning id, name)
     insert into app_public.todos (user_id, list_id, title, description, due_date, created_at)
     select $1, list.id, 'Todo "' || n || '" \\ ü 😀 ' || chr(9), nullif(repeat('x', n % 3), ''),
       case when n % 2 = 0 then date '2026-01-01' + n end, timestamptz '2026-01-01' + n * interval '1 minute'
     from list, generate_series(1, 10) n`,
    [ada.id],
  );
});
afterAll(() => server.close());

const columns = 'id rowId title description completed priority dueDate createdAt updatedAt';

test.each([
  ['a page', `todos(first: 20) { nodes { ${columns} } totalCount pageInfo { hasNextPage endCursor } }`],
  ['an empty page', 'todos(first: 20, filter: {title: {equalTo: "none"}}) { nodes { title } totalCount }'],
  ['lists with todos', `lists(first: 3) { nodes { name todos(first: 5) { nodes { ${columns} } totalCount } } }`],
  ['edges', `todos(first: 5) { edges { cursor node { ${columns} } } }`],
  ['rows that refer to one', 'todos(first: 20) { nodes { title list { name } } }'],
  ['a row that is not there', 'todo(rowId: "00000000-0000-0000-0000-000000000000") { title }'],
  ['an object', 'currentUser { __typename username emailVerifiedAt }'],
])('%s is the same as a text and as values', async (_, field) => {
  const [asText, asValues] = await Promise.all([
    ada.graphql(`{ ${field} __typename }`),
    ada.graphql(`{ same: ${field} __typename }`),
  ]);
  const [name = ''] = field.split(/[^A-Za-z]/, 1);
  expect(asText.status).toBe(200);
  expect(asText.body).toEqual({ data: { [name]: asValues.body.data.same, __typename: 'Query' } });
  expect(asText.text).toBe(asValues.text.replace('"same":', `"${name}":`));
});

test('an error in one field is told beside the data of the others', async () => {
  const { status, body } = await ada.graphql(
    '{ currentUser { username } todos(first: 1, after: "nonsense") { totalCount } }',
  );
  expect(status).toBe(200);
  expect(body.data).toEqual({ currentUser: { username: 'ada' }, todos: null });
  expect(body.errors).toMatchObject([{ path: ['todos'], extensions: { code: 'BAD_USER_INPUT' } }]);
});

test('long values are read again and answered as values', async () => {
  await server.db.asAdmin("update app_public.todos set description = repeat('y', 9990) where user_id = $1", [ada.id]);
  const committed = () => server.database.counts.transactions.committed;
  const before = committed();
  const { body } = await ada.graphql('{ todos(first: 30) { nodes { description } } }');
  expect(body.errors).toBeUndefined();
  expect(body.data.todos.nodes.map(({ description }: { description: string }) => description.length)).toEqual(
    Array.from({ length: 30 }, () => 9990),
  );
  expect(committed() - before).toBe(1);
});
