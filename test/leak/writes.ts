import { pick, weighted } from './random.ts';
import { read } from './reads.ts';
import { newTitle, payload, type RequestInputs, type TestRequest } from './testRequest.ts';

export const writing = {
  create: `mutation ($todo: TodoInput!) { createTodo(input: {todo: $todo}) { todo { rowId title user { rowId } } } }`,
  update: `mutation ($rowId: UUID!, $patch: TodoPatch!) {
    updateTodo(input: {rowId: $rowId, patch: $patch}) { todo { rowId title } }
  }`,
  delete: `mutation ($rowId: UUID!) { deleteTodo(input: {rowId: $rowId}) { todo { rowId title } } }`,
};

/** Number of rows from which a tenant deletes more than it creates. */
const targetRows = 20;

/** Builds a create, an update or a delete by the tenant, which must succeed. */
export function write(inputs: RequestInputs): TestRequest {
  const rows = inputs.tenant.expected.certainRows().length;
  const make = weighted(inputs.random, [
    [rows < targetRows ? 4 : 1, create],
    [rows > 0 ? 3 : 0, update],
    [rows === 0 ? 0 : rows < targetRows ? 1 : 4, remove],
  ]);
  return make(inputs);
}

function create(inputs: RequestInputs): TestRequest {
  const { random, tenant, newId } = inputs;
  const [rowId, title] = [newId(), newTitle(inputs)];
  const listId = pick(random, [...tenant.lists, null]);
  return {
    kind: 'create',
    payload: payload(writing.create, { todo: { rowId, title, listId, priority: Math.floor(random() * 6) } }),
    check: ({ createTodo: { todo } }) =>
      todo.rowId === rowId && todo.title === title && todo.user?.rowId === tenant.id
        ? undefined
        : 'another row was created',
    settle: tenant.expected.expectChange(rowId, title),
  };
}

function update(inputs: RequestInputs): TestRequest {
  const { random, tenant } = inputs;
  const { rowId } = pick(random, tenant.expected.certainRows());
  const title = newTitle(inputs);
  return {
    kind: 'update',
    payload: payload(writing.update, { rowId, patch: { title } }),
    check: ({ updateTodo: { todo } }) =>
      todo.rowId === rowId && todo.title === title ? undefined : 'another row was updated',
    settle: tenant.expected.expectChange(rowId, title),
  };
}

function remove({ random, tenant }: RequestInputs): TestRequest {
  const { rowId, title } = pick(random, tenant.expected.certainRows());
  return {
    kind: 'delete',
    payload: payload(writing.delete, { rowId }),
    check: ({ deleteTodo: { todo } }) =>
      todo.rowId === rowId && todo.title === title ? undefined : 'another row was deleted',
    settle: tenant.expected.expectChange(rowId, null),
  };
}

/** Builds a request for another tenant's row by its id. The row must not seem to exist. */
export function foreignRow(inputs: RequestInputs): TestRequest {
  const { random, others } = inputs;
  const rowId = pick(random, pick(random, others).expected.certainRows())?.rowId;
  if (!rowId) return read(inputs);
  const patch = { title: newTitle(inputs) };
  return weighted<TestRequest>(random, [
    [
      2,
      {
        kind: 'another tenant’s row: read',
        payload: payload('query ($rowId: UUID!) { todo(rowId: $rowId) { rowId title } }', { rowId }),
        check: ({ todo }) => (todo === null ? undefined : 'another tenant’s row is visible'),
      },
    ],
    [
      1,
      {
        kind: 'another tenant’s row: update',
        payload: payload(writing.update, { rowId, patch }),
        codes: ['NOT_FOUND'],
      },
    ],
    [1, { kind: 'another tenant’s row: delete', payload: payload(writing.delete, { rowId }), codes: ['NOT_FOUND'] }],
    [
      1,
      {
        kind: 'another tenant’s list: attach',
        payload: payload(writing.create, {
          todo: { rowId: inputs.newId(), title: patch.title, listId: pick(random, others).lists[0] },
        }),
        codes: ['BAD_USER_INPUT'],
      },
    ],
  ]);
}
