import { type Call, graphql } from '../apis/api.ts';

export const attackNames = [
  'search',
  'page',
  'filter',
  'create',
  'bulk',
  'documents',
  'oversized',
  'answers',
  'idempotent',
  'nested',
] as const;
export type AttackName = (typeof attackNames)[number];

/** The API of a candidate. Each attack has a variant for each API. */
export type ApiName = 'hedgerow' | 'postgraphile5' | 'rest';

/** Builds a request of an attack. The client lowers `size` if the server refuses the request as too complex. */
type MakeCall = (size: number, serial: number) => Call;

export interface Attack {
  /** Name for display. */
  readonly title: string;
  /** The flooding tenant that sends it: `many` has 60,000 short todos, `large` has 1,000 of 9.9 kB each. */
  readonly tenant: 'many' | 'large';
  /** The largest size. */
  readonly size: number;
  /** Whether every request differs. */
  readonly unique?: boolean;
  /** Whether refused requests are part of the attack, so that the size never changes. */
  readonly fixed?: boolean;
  /** The requests by API; the attack skips an API without one. */
  readonly calls: Partial<Record<ApiName, MakeCall>>;
}

const columns = 'rowId title description completed priority dueDate createdAt updatedAt';
const list = (size: number, item: (index: number) => string) =>
  Array.from({ length: size }, (_, i) => item(i)).join(' ');
const sameForBoth = (make: MakeCall) => ({ hedgerow: make, postgraphile5: make });
const get = (path: string): Call => ({ method: 'GET', path });

/** Six words of 31 letters that match no stored word and no prefix of one. */
const misspelled = [...'abcdef'].map((letter) => `${letter}${'nmlkjihg'.repeat(4)}`.slice(0, 31)).join(' ');

export const attacks: Readonly<Record<AttackName, Attack>> = {
  search: {
    title: 'searchTodos for six misspelled words of 31 letters',
    tenant: 'many',
    size: 1,
    calls: sameForBoth(() => graphql(`{ searchTodos(query: "${misspelled}", first: 20) { nodes { rowId title } } }`)),
  },
  page: {
    title: '1,000 todos with all columns',
    tenant: 'many',
    size: 1000,
    calls: {
      ...sameForBoth((size) => graphql(`{ todos(first: ${size}) { nodes { ${columns} } } }`)),
      rest: (size) => get(`/todos?limit=${size}`),
    },
  },
  filter: {
    title: 'a filter: `or` of 60 includesInsensitive',
    tenant: 'many',
    size: 60,
    calls: sameForBoth((size) =>
      graphql('query ($filter: TodoFilter) { todos(first: 20, filter: $filter) { nodes { rowId } totalCount } }', {
        filter: {
          or: Array.from({ length: size }, (_, index) => ({
            [index % 2 ? 'title' : 'description']: { includesInsensitive: `nothing like this ${index}` },
          })),
        },
      }),
    ),
  },
  create: {
    title: 'createTodo',
    tenant: 'many',
    size: 1,
    calls: {
      ...sameForBoth(() =>
        graphql('mutation { createTodo(input: {todo: {title: "Flood"}}) { todo { rowId title } } }'),
      ),
      rest: () => ({ method: 'POST', path: '/todos', body: { title: 'Flood', priority: 1, listId: null } }),
    },
  },
  bulk: {
    title: 'createTodos, 1,000 at a time',
    tenant: 'many',
    size: 1000,
    calls: {
      hedgerow: (size) =>
        graphql('mutation ($todos: [TodoInput!]!) { createTodos(input: {todos: $todos}) { todos { rowId title } } }', {
          todos: Array.from({ length: size }, (_, index) => ({ title: `Flood ${index}` })),
        }),
    },
  },
  documents: {
    title: 'new documents of up to 970 fields, as large as the server allows',
    tenant: 'many',
    size: 970,
    unique: true,
    calls: {
      hedgerow: largeDocuments('todos', 'list'),
      postgraphile5: largeDocuments('todosByUserIdAndListId', 'userList'),
    },
  },
  oversized: {
    title: 'new documents of 970 fields, refused or not',
    tenant: 'many',
    size: 970,
    unique: true,
    fixed: true,
    calls: {
      hedgerow: largeDocuments('todos', 'list'),
      postgraphile5: largeDocuments('todosByUserIdAndListId', 'userList'),
    },
  },
  answers: {
    title: 'descriptions of 9.9 kB, 29 times for each of 1,000 todos',
    tenant: 'large',
    size: 29_000,
    calls: sameForBoth((size) => {
      const rows = Math.min(size, 1000);
      const again = Math.max(1, Math.floor(size / 1000));
      return graphql(`{ todos(first: ${rows}) { nodes { ${list(again, (i) => `a${i}: description`)} } } }`);
    }),
  },
  idempotent: {
    title: 'a mutation with a new Idempotency-Key and 1,000 large todos in its answer',
    tenant: 'large',
    size: 1000,
    unique: true,
    calls: sameForBoth((size, serial) => ({
      ...graphql(
        `mutation { createTodo(input: {todo: {title: "Flood"}}) {
          query { todos(first: ${size}, orderBy: CREATED_AT_ASC) { nodes { description } } } } }`,
      ),
      headers: { 'Idempotency-Key': `flood-${process.pid}-${serial}` },
    })),
  },
  nested: {
    title: '100 lists with their todos, 200 each',
    tenant: 'many',
    size: 200,
    calls: {
      hedgerow: nestedLists('todos'),
      postgraphile5: nestedLists('todosByUserIdAndListId'),
      rest: () => get('/lists'),
    },
  },
};

function nestedLists(todosOfList: string): MakeCall {
  return (size) =>
    graphql(
      `{ lists(first: 100) { nodes { rowId name ${todosOfList}(first: ${size}) { nodes { ${columns} } totalCount } } } }`,
    );
}

/** Fields below each root field of a large document, and the number of root fields that Hedgerow allows. */
const fieldsEach = 45;
const maxRoots = 20;

/**
 * Builds documents of about `size` fields. `serial` is a literal in them, so that the server parses and plans each one.
 */
function largeDocuments(todosOfList: string, listOfTodo: string): MakeCall {
  const inner = 'rowId name createdAt updatedAt';
  return (size, serial) => {
    const roots = Math.max(1, Math.min(maxRoots, Math.floor(size / fieldsEach)));
    const rest = Math.max(0, size - roots * fieldsEach);
    const root = (index: number) => `a${index}: todos(first: 1, filter: {title: {notEqualTo: "${serial}-${index}"}}) {
      nodes { ${columns} ${listOfTodo} { ${inner} ${todosOfList}(first: 1) { nodes { ${columns} ${listOfTodo} { ${inner} } } } } }
      edges { cursor node { ${columns} ${index === 0 ? 'title '.repeat(rest) : ''} } }
      pageInfo { hasNextPage endCursor } totalCount }`;
    return graphql(`query Q${serial} { ${list(roots, root)} }`);
  };
}
