import type { Tenant } from '../tenants.ts';

/** A request, without what all requests have. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whose request it is and what it is about. */
export interface Subject {
  readonly tenant: Tenant;
  readonly todoId: string;
  readonly listId: string;
  /** Behind which the page lies that deepCursor asks for. */
  readonly cursor: string;
}

export interface Todo {
  readonly id: string;
  readonly title: string;
  readonly completed: boolean;
  readonly priority: number;
  readonly createdAt: string;
}

export interface List {
  readonly id: string;
  readonly name: string;
  readonly todoCount: number;
  readonly todos: readonly Pick<Todo, 'id' | 'title'>[];
}

/** How to ask a server for something, and how to find it in what it answers. */
export interface Exchange<T> {
  call(subject: Subject): Call;
  // biome-ignore lint/suspicious/noExplicitAny: the answer is JSON of a server that is being measured
  read(answer: any): T;
}

/** The workloads, in one server's language. Whatever it calls things, all read the same. */
export interface Api {
  /** The newest 20 todos, five fields. */
  readonly list: Exchange<Todo[]>;
  /** One todo by its id; empty where there is none. */
  readonly byId: Exchange<Todo[]>;
  readonly create: Exchange<Todo[]>;
  /** Ten lists, with the five newest todos of each and their number. */
  readonly nested: Exchange<List[]>;
  /** `completed` set by id. */
  readonly update: Exchange<Todo[]>;
  /** The 20 newest todos behind the first 900. */
  readonly deep: Exchange<Todo[]>;
  /** The same page, behind a cursor. */
  readonly deepCursor: Exchange<Todo[]>;
  /** No workload: the cursor of the last todo before that page. */
  readonly cursor: Exchange<string>;
}

export const newTodo = { title: 'Written by the benchmark', priority: 3 };

// biome-ignore lint/suspicious/noExplicitAny: as above
export function todo({ id, rowId = id, title, completed, priority, createdAt }: any): Todo {
  return { id: rowId, title, completed, priority, createdAt: new Date(createdAt).toISOString() };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
export function todos(answers: any[]): Todo[] {
  return answers.map(todo);
}

/** A GraphQL request. The document is the same every time, and what changes is in the variables. */
export function graphql(query: string, variables: Record<string, unknown> = {}): Call {
  return { method: 'POST', path: '/graphql', body: { query: query.replace(/\s+/g, ' ').trim(), variables } };
}
