import { type Api, graphql, type List, newTodo, type Subject, todo, todos } from './api.ts';

const fields = 'rowId title completed priority createdAt';

interface Differences {
  /** The variables that identify a todo: types, use as arguments, and values. */
  readonly key: { readonly types: string; readonly use: string; values(subject: Subject): Record<string, unknown> };
  readonly todosOfList: string;
}

const list =
  (todosOfList: string) =>
  // biome-ignore lint/suspicious/noExplicitAny: JSON of a server that is being measured
  (answer: any): List => ({
    id: answer.rowId,
    name: answer.name,
    todoCount: answer[todosOfList].totalCount,
    todos: answer[todosOfList].nodes.map(({ rowId, title }: { rowId: string; title: string }) => ({
      id: rowId,
      title,
    })),
  });

function api({ key, todosOfList }: Differences): Api {
  return {
    list: {
      call: () => graphql(`query List { todos(first: 20, orderBy: CREATED_AT_DESC) { nodes { ${fields} } } }`),
      read: ({ data }) => todos(data.todos.nodes),
    },
    byId: {
      call: (subject) => graphql(`query ById(${key.types}) { todo(${key.use}) { ${fields} } }`, key.values(subject)),
      read: ({ data }) => (data.todo ? [todo(data.todo)] : []),
    },
    create: {
      call: ({ listId }) =>
        graphql(
          `mutation Create($title: String!, $priority: Int!, $listId: UUID!) {
            createTodo(input: { todo: { title: $title, priority: $priority, listId: $listId } }) { todo { ${fields} } }
          }`,
          { ...newTodo, listId },
        ),
      read: ({ data }) => [todo(data.createTodo.todo)],
    },
    nested: {
      call: () =>
        graphql(`query Nested {
          lists(first: 10, orderBy: NAME_ASC) {
            nodes { rowId name ${todosOfList}(first: 5, orderBy: CREATED_AT_DESC) { nodes { rowId title } totalCount } }
          }
        }`),
      read: ({ data }) => data.lists.nodes.map(list(todosOfList)),
    },
    update: {
      call: (subject) =>
        graphql(
          `mutation Update(${key.types}, $completed: Boolean!) {
            updateTodo(input: { ${key.use}, patch: { completed: $completed } }) { todo { ${fields} } }
          }`,
          { ...key.values(subject), completed: true },
        ),
      read: ({ data }) => (data.updateTodo ? [todo(data.updateTodo.todo)] : []),
    },
    deep: {
      call: () =>
        graphql(`query Deep { todos(first: 20, offset: 900, orderBy: CREATED_AT_DESC) { nodes { ${fields} } } }`),
      read: ({ data }) => todos(data.todos.nodes),
    },
    deepCursor: {
      call: ({ cursor }) =>
        graphql(
          `query After($cursor: Cursor!) {
            todos(first: 20, after: $cursor, orderBy: CREATED_AT_DESC) { nodes { ${fields} } }
          }`,
          { cursor },
        ),
      read: ({ data }) => todos(data.todos.nodes),
    },
    cursor: {
      call: () => graphql('{ todos(first: 1, offset: 899, orderBy: CREATED_AT_DESC) { pageInfo { endCursor } } }'),
      read: ({ data }) => data.todos.pageInfo.endCursor,
    },
  };
}

/** Hedgerow's API, which identifies a todo by its id alone. */
export const hedgerowApi = api({
  key: { types: '$rowId: UUID!', use: 'rowId: $rowId', values: ({ todoId }) => ({ rowId: todoId }) },
  todosOfList: 'todos',
});

/** The API that PostGraphile 5 generates from the same tables, with composite keys. */
export const postgraphile5 = api({
  key: {
    types: '$userId: UUID!, $rowId: UUID!',
    use: 'userId: $userId, rowId: $rowId',
    values: ({ tenant, todoId }) => ({ userId: tenant.userId, rowId: todoId }),
  },
  todosOfList: 'todosByUserIdAndListId',
});
