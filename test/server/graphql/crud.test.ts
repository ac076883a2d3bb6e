import { randomUUID } from 'node:crypto';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer();
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

const ask = async (document: string, variables: Record<string, unknown> = {}) => {
  const { body } = await ada.graphql(document, variables);
  expect(body.errors).toBeUndefined();
  return body.data;
};

const fields = 'id rowId title description completed priority dueDate listId createdAt updatedAt';

test('a todo is created, read, changed and deleted, by its key', async () => {
  const rowId = randomUUID();
  const given = {
    rowId,
    title: 'Hedge',
    description: 'the long one',
    completed: true,
    priority: 4,
    dueDate: '2026-12-01',
  };
  const { createTodo } = await ask(
    `mutation ($todo: TodoInput!) { createTodo(input: {todo: $todo}) { todo { ${fields} } } }`,
    { todo: given },
  );
  expect(createTodo.todo).toEqual({
    ...{ ...given, id: expect.any(String), listId: null },
    ...{ createdAt: expect.any(String), updatedAt: expect.any(String) },
  });
  expect((await ask(`query ($id: UUID!) { todo(rowId: $id) { ${fields} } }`, { id: rowId })).todo).toEqual(
    createTodo.todo,
  );

  const { updateTodo } = await ask(
    `mutation ($id: UUID!) {
      updateTodo(input: {rowId: $id, patch: {title: "Wall", description: null, dueDate: null}}) { todo { ${fields} } }
    }`,
    { id: rowId },
  );
  const { updatedAt } = updateTodo.todo;
  expect(updateTodo.todo).toEqual({ ...createTodo.todo, title: 'Wall', description: null, dueDate: null, updatedAt });
  expect(updatedAt > createTodo.todo.updatedAt).toBe(true);

  const { deleteTodo } = await ask(
    'mutation ($id: UUID!) { deleteTodo(input: {rowId: $id}) { todo { title } deletedTodoId } }',
    { id: rowId },
  );
  expect(deleteTodo).toEqual({ todo: { title: 'Wall' }, deletedTodoId: createTodo.todo.id });
  expect((await ask('query ($id: UUID!) { todo(rowId: $id) { title } }', { id: rowId })).todo).toBeNull();
});

test('a missing value gets its default', async () => {
  const { createTodo } = await ask(`mutation { createTodo(input: {todo: {title: "x"}}) { todo { ${fields} } } }`);
  expect(createTodo.todo).toMatchObject({ completed: false, priority: 0, description: null, dueDate: null });
});

test('a list is created, renamed and deleted by its node id, and its todos stay', async () => {
  const { createList } = await ask('mutation { createList(input: {list: {name: "Garden"}}) { list { id rowId } } }');
  const { id, rowId } = createList.list;
  const { createTodo } = await ask(
    'mutation ($l: UUID) { createTodo(input: {todo: {title: "x", listId: $l}}) { todo { rowId list { name } } } }',
    { l: rowId },
  );
  expect(createTodo.todo.list).toEqual({ name: 'Garden' });
  const { updateListById } = await ask(
    `mutation ($id: ID!) {
      updateListById(input: {id: $id, patch: {name: "Park"}}) { list { name todos { nodes { title } totalCount } } }
    }`,
    { id },
  );
  expect(updateListById.list).toEqual({ name: 'Park', todos: { nodes: [{ title: 'x' }], totalCount: 1 } });
  expect((await ask('query ($id: ID!) { node(id: $id) { ... on List { name } } }', { id })).node).toEqual({
    name: 'Park',
  });
  await ask('mutation ($id: ID!) { deleteListById(input: {id: $id}) { deletedListId } }', { id });
  const { todo } = await ask('query ($id: UUID!) { todo(rowId: $id) { title list { name } } }', {
    id: createTodo.todo.rowId,
  });
  expect(todo).toEqual({ title: 'x', list: null });
});
