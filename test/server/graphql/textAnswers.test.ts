import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer();
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

test('what JSON has to escape comes back as it was', async () => {
  const title = 'a "quoted" \\ \u2028 \u0007 line\nand 🌳 \ud800';
  const { body } = await ada.graphql(
    'mutation ($title: String!) { createTodo(input: {todo: {title: $title}}) { todo { title rowId } } }',
    { title },
  );
  const { rowId, title: kept } = body.data.createTodo.todo;
  const query = 'query ($id: UUID!) { todo(rowId: $id) { title list { name } __typename } }';
  const read = await ada.graphql(query, { id: rowId }).expect(200);
  expect(read.body).toEqual({ data: { todo: { title: kept, list: null, __typename: 'Todo' } } });
});

test('data and errors come together', async () => {
  const query = `query ($nul: String!) {
    currentUser { username } todos(filter: {title: {equalTo: $nul}}) { nodes { title } }
  }`;
  const { body } = await ada.graphql(query, { nul: '\u0000' }).expect(200);
  expect(body).toEqual({
    data: { currentUser: { username: 'ada' }, todos: null },
    errors: [expect.objectContaining({ path: ['todos'] })],
  });
});
