import pino from 'pino';
import { makeSchema } from 'postgraphile';
import { grafast } from 'postgraphile/grafast';
import { writeLists } from '../../../../server/graphql/answers/lists.ts';
import type { OperationPlan } from '../../../../server/graphql/answers/plan.ts';
import { preset } from '../../../../server/graphql/preset.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../../support/server.ts';

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

test('lists are written for who asks over HTTP, and for nobody else', async () => {
  let plan: OperationPlan | undefined;
  const looking: GraphileConfig.Plugin = {
    name: 'LookingPlugin',
    version: '1.0.0',
    grafast: {
      middleware: {
        establishOperationPlan(next) {
          const established = next();
          plan = established as object as OperationPlan;
          return established;
        },
      },
    },
  };
  const base = preset({ database: server.database, log: pino({ level: 'silent' }), production: false });
  const { schema, resolvedPreset } = await makeSchema({ extends: [base], plugins: [looking] });
  const leftToWrite = async (source: string, requestContext: object) => {
    await grafast({ schema, source, resolvedPreset, requestContext });
    return plan && writeLists(plan);
  };
  expect(
    await leftToWrite('query http { todos { nodes { title } } }', { expressv4: { req: { get: () => undefined } } }),
  ).toBe(0);
  expect(await leftToWrite('query others { todos { nodes { title } } }', {})).toBe(1);
});
