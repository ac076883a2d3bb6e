import { type Api, graphql, newTodo, todo, todos } from './api.ts';

const fields = 'id title completed priority createdAt';
const newest = 'orderBy: CREATED_AT_DESC';

/** The API that PostGraphile 4 generates from Hedgerow's tables. */
export const postgraphile4: Api = {
  list: {
    call: () => graphql(`query List { allTodos(first: 20, ${newest}) { nodes { ${fields} } } }`),
    read: ({ data }) => todos(data.allTodos.nodes),
  },
  byId: {
    call: ({ tenant, todoId }) =>
      graphql(`query ById($userId: UUID!, $id: UUID!) { todoByUserIdAndId(userId: $userId, id: $id) { ${fields} } }`, {
        userId: tenant.userId,
        id: todoId,
      }),
    read: ({ data }) => (data.todoByUserIdAndId ? [todo(data.todoByUserIdAndId)] : []),
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
        allLists(first: 10, orderBy: NAME_ASC) {
          nodes { id name todosByUserIdAndListId(first: 5, ${newest}) { nodes { id title } totalCount } }
        }
      }`),
    read: ({ data }) =>
      data.allLists.nodes.map(
        // biome-ignore lint/suspicious/noExplicitAny: JSON of a server that is being measured
        ({ id, name, todosByUserIdAndListId: { nodes, totalCount } }: any) => ({
          id,
          name,
          todoCount: totalCount,
          todos: nodes,
        }),
      ),
  },
  update: {
    call: ({ tenant, todoId }) =>
      graphql(
        `mutation Update($userId: UUID!, $id: UUID!, $completed: Boolean!) {
          updateTodoByUserIdAndId(input: { userId: $userId, id: $id, todoPatch: { completed: $completed } }) {
            todo { ${fields} }
          }
        }`,
        { userId: tenant.userId, id: todoId, completed: true },
      ),
    read: ({ data }) => (data.updateTodoByUserIdAndId ? [todo(data.updateTodoByUserIdAndId.todo)] : []),
  },
  deep: {
    call: () => graphql(`query Deep { allTodos(first: 20, offset: 900, ${newest}) { nodes { ${fields} } } }`),
    read: ({ data }) => todos(data.allTodos.nodes),
  },
  deepCursor: {
    call: ({ cursor }) =>
      graphql(
        `query After($cursor: Cursor!) { allTodos(first: 20, after: $cursor, ${newest}) { nodes { ${fields} } } }`,
        { cursor },
      ),
    read: ({ data }) => todos(data.allTodos.nodes),
  },
  cursor: {
    call: () => graphql(`{ allTodos(first: 1, offset: 899, ${newest}) { pageInfo { endCursor } } }`),
    read: ({ data }) => data.allTodos.pageInfo.endCursor,
  },
};
