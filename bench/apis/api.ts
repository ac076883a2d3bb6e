import type { Tenant } from '../tenants.ts';

/** A request without the headers that all requests share. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The tenant, the todo and the list of a request. */
export interface Subject {
  readonly tenant: Tenant;
  readonly todoId: string;
  readonly listId: string;
  /** Cursor before the page of `deepCursor`. */
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

/** Builds a request for a server, and reads the result from its answer. */
export interface Exchange<T> {
  call(subject: Subject): Call;
  // biome-ignore lint/suspicious/noExplicitAny: the answer is JSON of a server that is being measured
  read(answer: any): T;
}

/** The workloads in the API of one server. All servers return the same results. */
export interface Api {
  /** The newest 20 todos, five fields. */
  readonly list: Exchange<Todo[]>;
  /** One todo by its id; empty if there is none. */
  readonly byId: Exchange<Todo[]>;
  readonly create: Exchange<Todo[]>;
  /** Ten lists, with the five newest todos of each and their count. */
  readonly nested: Exchange<List[]>;
  /** Sets `completed` by id. */
  readonly update: Exchange<Todo[]>;
  /** The 20 todos after the newest 900. */
  readonly deep: Exchange<Todo[]>;
  /** The same page, after a cursor. */
  readonly deepCursor: Exchange<Todo[]>;
  /** Not a workload: the cursor of the last todo before that page. */
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

/** Builds a GraphQL request. The document stays the same; values belong into the variables. */
export function graphql(query: string, variables: Record<string, unknown> = {}): Call {
  return { method: 'POST', path: '/graphql', body: { query: query.replace(/\s+/g, ' ').trim(), variables } };
}
