import { type Api, type Call, type List, newTodo, todo, todos } from './api.ts';

const get = (path: string): Call => ({ method: 'GET', path });

/** The JSON endpoints of the hand-written Express servers. */
export const rest: Api = {
  list: { call: () => get('/todos?limit=20'), read: todos },
  byId: { call: ({ todoId }) => get(`/todos/${todoId}`), read: (answer) => (answer ? [todo(answer)] : []) },
  create: {
    call: ({ listId }) => ({ method: 'POST', path: '/todos', body: { ...newTodo, listId } }),
    read: (answer) => [todo(answer)],
  },
  nested: {
    call: () => get('/lists'),
    read: (answer: List[]) => answer.map(({ id, name, todoCount, todos }) => ({ id, name, todoCount, todos })),
  },
  update: {
    call: ({ todoId }) => ({ method: 'PATCH', path: `/todos/${todoId}`, body: { completed: true } }),
    read: (answer) => (answer ? [todo(answer)] : []),
  },
  deep: { call: () => get('/todos?limit=20&offset=900'), read: todos },
  deepCursor: { call: ({ cursor }) => get(`/todos?limit=20&${cursor}`), read: todos },
  cursor: {
    call: () => get('/todos?limit=1&offset=899'),
    read: ([{ createdAt, id }]) => new URLSearchParams({ createdAt, id }).toString(),
  },
};
