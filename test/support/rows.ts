import { randomUUID } from 'node:crypto';
import type { Tenant } from './server.ts';

/** Ids and names of a list, its todo and their tenant. `todo`, `list` and `user` are node ids. */
export interface Names {
  readonly todo: string;
  readonly todoRow: string;
  readonly list: string;
  readonly listRow: string;
  readonly listName: string;
  readonly user: string;
  readonly userRow: string;
}

/** Creates a list and a todo in it. `text` is the todo's title and part of the list's name. */
export async function makeRows(tenant: Tenant, text: string): Promise<Names> {
  const listName = `${text} ${randomUUID()}`;
  const { body: created } = await tenant.graphql(
    'mutation ($name: String!) { createList(input: {list: {name: $name}}) { list { id rowId user { id rowId } } } }',
    { name: listName },
  );
  const { id: list, rowId: listRow, user } = created.data.createList.list;
  const { body } = await tenant.graphql(
    `mutation ($title: String!, $listId: UUID) {
      createTodo(input: {todo: {title: $title, listId: $listId}}) { todo { id rowId } }
    }`,
    { title: text, listId: listRow },
  );
  const { id: todo, rowId: todoRow } = body.data.createTodo.todo;
  return { todo, todoRow, list, listRow, listName, user: user.id, userRow: user.rowId };
}

/** Wraps `selection` in a document and declares the variables that it uses: fields of `Names`, `own` and `ownRow`. */
export function withVariables(operation: 'query' | 'mutation', selection: string): string {
  const type = (name: string) => (name.endsWith('Row') ? 'UUID!' : name.endsWith('Name') ? 'String!' : 'ID!');
  const used = [...new Set(selection.match(/\$\w+/g))].map((name) => `${name}: ${type(name)}`);
  return `${operation} ${used.length > 0 ? `(${used.join(', ')})` : ''} ${selection}`;
}
