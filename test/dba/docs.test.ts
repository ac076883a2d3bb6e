import { readFile } from 'node:fs/promises';
import { lintSchema } from '../../dba/servedApi/lintSchema.ts';
import type { Finding } from '../../lint/rule.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { serve, signUp, type TestServer } from '../support/server.ts';
import { subscribed } from '../support/socket.ts';

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let blocks: string[];
let findings: readonly Finding[];

beforeAll(async () => {
  blocks = [...(await readFile('docs/dba.md', 'utf8')).matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => sql as string);
  db = await createTestDatabase();
  // `watch` applies current.sql at every save.
  for (const _save of ['first', 'second']) await db.asOwner(blocks[0] as string);
  findings = (await withClient(db.ownerUrl, (owner) => lintSchema(owner))).findings;
  server = await serve(db);
});
afterAll(async () => {
  await server.close();
  await db.drop();
});

test('the linter finds nothing in the table of docs/dba.md', () => {
  expect(findings).toEqual([]);
});

test('the API serves the table of docs/dba.md and keeps tenants apart', async () => {
  expect(await server.readiness.reasonsNotToServe()).toEqual([]);
  const [ada, bob] = [await signUp(server.app, 'ada'), await signUp(server.app, 'bob')];
  const create = 'mutation { createTag(input: {tag: {name: "urgent"}}) { tag { rowId name } } }';
  const { rowId } = (await ada.graphql(create)).body.data.createTag.tag;
  const todo = (await ada.graphql('mutation { createTodo(input: {todo: {title: "x"}}) { todo { rowId } } }')).body.data
    .createTodo.todo;
  const attach =
    'mutation ($todoTag: TodoTagInput!) { createTodoTag(input: {todoTag: $todoTag}) { todoTag { tag { name } } } }';
  const attached = await ada.graphql(attach, { todoTag: { todoId: todo.rowId, tagId: rowId } });
  expect(attached.body.data.createTodoTag.todoTag.tag.name).toBe('urgent');

  expect((await bob.graphql(`{ tags { totalCount } tag(rowId: "${rowId}") { name } }`)).body.data).toEqual({
    tags: { totalCount: 0 },
    tag: null,
  });
  const theirs = await bob.graphql(attach, { todoTag: { todoId: todo.rowId, tagId: rowId } });
  expect(theirs.body.errors).toMatchObject([
    {
      message: expect.stringMatching(/^(todo|tag)Id must name a \w+ of yours$/),
      extensions: { code: 'BAD_USER_INPUT' },
    },
  ]);
  expect((await bob.graphql(create)).body.errors).toBeUndefined();
  const extensions = { code: 'CONFLICT', field: 'name' };
  expect((await bob.graphql(create)).body.errors).toMatchObject([
    { message: 'there is a tag with this name already', extensions },
  ]);
});

test('the live table of docs/dba.md sends events', async () => {
  const carol = await signUp(server.app, 'carol');
  const socket = await subscribed(
    await server.listen(),
    carol.token,
    'subscription { tagChanged { event rowId tag { name } } }',
  );
  const create = 'mutation { createTag(input: {tag: {name: "live"}}) { tag { rowId } } }';
  const { rowId } = (await carol.graphql(create)).body.data.createTag.tag;
  expect(await socket.event()).toEqual({ event: 'INSERT', rowId, tag: { name: 'live' } });
  await carol.graphql(`mutation { deleteTag(input: {rowId: "${rowId}"}) { tag { name } } }`);
  expect(await socket.event()).toEqual({ event: 'DELETE', rowId, tag: null });
  socket.raw.terminate();
});

test('a table without an id cannot be live, and no table becomes live without make_live()', async () => {
  await expect(db.asAdmin("select app_private.make_live('app_public.todo_tags')")).rejects.toThrow('cannot be live');
  const fields = Object.keys(server.graphqlSchema.getSubscriptionType()?.getFields() ?? {});
  expect(fields.sort()).toEqual(['listChanged', 'projectChanged', 'tagChanged', 'taskChanged', 'todoChanged']);
});

test('the data migration of docs/dba.md changes rows and leaves row-level security forced', async () => {
  await db.asAdmin("update app_public.tags set name = ' urgent '");
  await db.asOwner(`begin; ${blocks[1]} commit`);
  expect(await db.asAdmin('select distinct name from app_public.tags')).toEqual([{ name: 'urgent' }]);
  expect(await server.readiness.reasonsNotToServe()).toEqual([]);
});

test("the API serves the search of docs/dba.md, which finds only the tenant's own rows", async () => {
  for (const _save of ['first', 'second']) await db.asOwner(blocks[2] as string);
  const searching = await serve(db);
  try {
    const [nora, olga] = [await signUp(searching.app, 'nora'), await signUp(searching.app, 'olga')];
    const lists =
      'mutation { createTags(input: {tags: [{name: "groceries"}, {name: "garden"}]}) { tags { rowId name } } }';
    expect((await nora.graphql(lists)).body.data.createTags.tags).toMatchObject([
      { name: 'groceries' },
      { name: 'garden' },
    ]);
    for (const query of ['gro', 'grocreis']) {
      const search = `{ searchTags(query: "${query}") { nodes { name } } }`;
      expect((await nora.graphql(search)).body.data).toEqual({ searchTags: { nodes: [{ name: 'groceries' }] } });
      expect((await olga.graphql(search)).body.data).toEqual({ searchTags: { nodes: [] } });
    }
    const long = await nora.graphql(`{ searchTags(query: "${'x'.repeat(201)}") { nodes { name } } }`);
    expect(long.body.errors[0]).toMatchObject({
      message: 'query must have at most 200 characters',
      extensions: { code: 'BAD_USER_INPUT' },
    });
  } finally {
    await searching.close();
  }
});

test('a bulk mutation creates and returns rows whose key has two columns', async () => {
  const erin = await signUp(server.app, 'erin');
  const make = `mutation {
    createTags(input: {tags: [{name: "a"}, {name: "b"}]}) { tags { rowId } }
    createTodo(input: {todo: {title: "x"}}) { todo { rowId } }
  }`;
  const { createTags, createTodo } = (await erin.graphql(make)).body.data;
  const todoTags = createTags.tags.map(({ rowId }: { rowId: string }) => ({
    todoId: createTodo.todo.rowId,
    tagId: rowId,
  }));
  const attach =
    'mutation ($todoTags: [TodoTagInput!]!) { createTodoTags(input: {todoTags: $todoTags}) { todoTags { tag { name } } } }';
  const { body } = await erin.graphql(attach, { todoTags });
  expect(body.data.createTodoTags.todoTags).toEqual([{ tag: { name: 'a' } }, { tag: { name: 'b' } }]);
  const again = await erin.graphql(attach, { todoTags: [todoTags[1]] });
  expect(again.body.errors).toMatchObject([{ extensions: { code: 'CONFLICT', index: 0 } }]);
});
