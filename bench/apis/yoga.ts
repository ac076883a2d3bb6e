import { type Api, graphql, newTodo, todo, todos } from './api.ts';

const fields = 'id title completed priority createdAt';

/** The schema of peers/yoga-drizzle.js. */
export const yoga: Api = {
  list: {
    call: () => graphql(`query List { todos(first: 20) { ${fields} } }`),
    read: ({ data }) => todos(data.todos),
  },
  byId: {
    call: ({ todoId }) => graphql(`query ById($id: ID!) { todo(id: $id) { ${fields} } }`, { id: todoId }),
    read: ({ data }) => (data.todo ? [todo(data.todo)] : []),
  },
  create: {
    call: ({ listId }) =>
      graphql(
        `mutation Create($title: String!, $priority: Int!, $listId: ID!) {
          createTodo(title: $title, priority: $priority, listId: $listId) { ${fields} }
        }`,
        { ...newTodo, listId },
      ),
    read: ({ data }) => [todo(data.createTodo)],
  },
  nested: {
    call: () => graphql('query Nested { lists(first: 10, todos: 5) { id name todoCount todos { id title } } }'),
    read: ({ data }) => data.lists,
  },
  update: {
    call: ({ todoId }) =>
      graphql(
        `mutation Update($id: ID!, $completed: Boolean!) { updateTodo(id: $id, completed: $completed) { ${fields} } }`,
        { id: todoId, completed: true },
      ),
    read: ({ data }) => (data.updateTodo ? [todo(data.updateTodo)] : []),
  },
  deep: {
    call: () => graphql(`query Deep { todos(first: 20, offset: 900) { ${fields} } }`),
    read: ({ data }) => todos(data.todos),
  },
  deepCursor: {
    call: ({ cursor }) =>
      graphql(`query After($cursor: String!) { todos(first: 20, after: $cursor) { ${fields} } }`, { cursor }),
    read: ({ data }) => todos(data.todos),
  },
  cursor: {
    call: () => graphql(`{ todos(first: 1, offset: 899) { id createdAt } }`),
    read: ({ data: { todos } }) => `${todos[0].createdAt}_${todos[0].id}`,
  },
};
