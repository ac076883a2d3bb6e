import { getIntrospectionQuery } from 'postgraphile/graphql';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer();
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

const repeat = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ');

/** Three fields deep for each turn, and two more. */
const deep = (turns: number, leaf = 'totalCount') =>
  `{ ${'todos(first: 1) { nodes { list { '.repeat(turns)} todos(first: 1) { ${leaf} } ${'} } } '.repeat(turns)} }`;
/** Two tokens for each, and sixteen more. */
const empty = (count: number) => `{ todos(filter: {or: [${repeat(count, () => '{}')}]}) { totalCount } }`;
const nots = (depth: number) => `${'{not: '.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
const inFragments = (count: number) =>
  `{ todos { nodes { ...F0 } } } ${repeat(count, (i) => `fragment F${i} on Todo { ...F${i + 1} ...F${i + 1} }`)} fragment F${count} on Todo { title }`;

const filter = 'query ($f: TodoFilter) { todos(filter: $f) { totalCount } }';
const nested = (depth: number): object => (depth === 1 ? {} : { not: nested(depth - 1) });
const ors = (count: number) => ({ or: Array.from({ length: count }, () => ({ title: { equalTo: 'x' } })) });
const two =
  'query ($a: TodoFilter, $b: TodoFilter) { a: todos(filter: $a) { totalCount } todos(filter: $b) { totalCount } }';

const pages = 'query ($n: Int!, $m: Int = 249) { lists(first: $n) { nodes { todos(last: $m) { nodes { title } } } } }';

const columns = 'id rowId listId title description completed priority dueDate createdAt updatedAt';
const aliases = (count: number, field = 'description') => repeat(count, (i) => `a${i}: ${field}`);
const createTodos = (fields: string) =>
  `mutation ($todos: [TodoInput!]!) { createTodos(input: {todos: $todos}) { todos { ${fields} } } }`;
const items = (count: number) => Array.from({ length: count }, (_, index) => ({ title: `todo ${index}` }));
const conditions = (uses: number) =>
  `query ($f: TodoFilter) { ${repeat(uses, (i) => `a${i}: todos(filter: $f) { totalCount }`)} }`;
const withLists = (roots: number) =>
  `{ ${repeat(roots, (i) => `a${i}: lists(first: 1) { nodes { todos(first: 1) { nodes { ${columns} } totalCount pageInfo { hasNextPage } } } }`)} }`;

type Case = [limit: string, allowed: [string, object?], refused: [string, object?], message: string];
const cases: Case[] = [
  ['depth', [deep(4, 'nodes { title }')], [deep(5)], 'depth 17 is more than 15'],
  [
    'aliases',
    [`{ ${repeat(20, (i) => `a${i}: __typename`)} }`],
    [`{ todos { nodes { ${repeat(31, (i) => `a${i}: title`)} } } }`],
    'aliases 31 is more than 30',
  ],
  [
    'aliases in fragments',
    [
      `{ a: todos { nodes { ...F } } todos { nodes { ...F } } } fragment F on Todo { ${repeat(14, (i) => `a${i}: title`)} }`,
    ],
    [
      `{ a: todos { nodes { ...F } } todos { nodes { ...F } } } fragment F on Todo { ${repeat(15, (i) => `a${i}: title`)} }`,
    ],
    'aliases 31 is more than 30',
  ],
  [
    'directives',
    [`{ todos { nodes { ${repeat(50, () => 'title @include(if: true)')} } } }`],
    [`{ todos { nodes { ${repeat(51, () => '... @skip(if: false) { title }')} } } }`],
    'directives 51 is more than 50',
  ],
  ['tokens', [empty(992)], [empty(993)], 'tokens 2002 is more than 2000'],
  [
    'root fields',
    [`{ ${repeat(20, () => '__typename')} }`],
    [`{ ${repeat(21, () => '__typename')} }`],
    'root fields 21 is more than 20',
  ],
  [
    'root fields in fragments',
    [`{ ...F ...F } fragment F on Query { ${repeat(10, () => '__typename')} }`],
    [`{ ...F ...F ...F } fragment F on Query { ${repeat(10, () => '__typename')} }`],
    'root fields 30 is more than 20',
  ],
  ['fields', [inFragments(8)], [inFragments(10)], 'fields 1026 is more than 1000'],
  ['fields in exponential fragments', [inFragments(9)], [inFragments(60)], 'fields over 1000000000 is more than 1000'],
  [
    'the depth of input',
    [`{ todos(filter: ${nots(15)}) { totalCount } }`],
    [`{ todos(filter: ${nots(16)}) { totalCount } }`],
    'input depth 16 is more than 15',
  ],
  [
    'the depth of a variable',
    [filter, { f: nested(15) }],
    [filter, { f: nested(16) }],
    'input depth 16 is more than 15',
  ],
  ['the length of a list', [filter, { f: ors(1000) }], [filter, { f: ors(1001) }], 'input list 1001 is more than 1000'],
  [
    'objects in variables',
    [two, { a: ors(1000), b: ors(249) }],
    [two, { a: ors(1000), b: ors(250) }],
    'input objects 2502 is more than 2500',
  ],
  [
    'cost',
    ['{ lists { nodes { todos { nodes { title list { name } } } } } }'],
    ['{ lists { nodes { todos(first: 300) { nodes { title } } } } }'],
    'cost 33201 is more than 25000',
  ],
  ['cost by variables', [pages, { n: 90 }], [pages, { n: 91 }], 'cost 25108 is more than 25000'],
  [
    'cost by edges in fragments',
    [
      '{ ...L } fragment L on Query { lists(first: 10) { edges { node { todos(first: 500) { ...T } } } } } fragment T on TodoConnection { edges { node { title } } }',
    ],
    [
      '{ ...L } fragment L on Query { lists(first: 50) { edges { node { todos(first: 500) { ...T } } } } } fragment T on TodoConnection { edges { node { title } } }',
    ],
    'cost 52651 is more than 25000',
  ],
  [
    'cost by values that are selected again',
    [
      `{ todos(first: 1000) { nodes { ${columns} } edges { cursor node { ${columns} } } totalCount pageInfo { hasNextPage } } }`,
    ],
    [`{ todos(first: 1000) { nodes { ${aliases(29)} } } }`],
    'cost 29101 is more than 25000',
  ],
  [
    'cost by values that are selected again in fragments',
    ['{ todos(first: 1000) { nodes { ...F ...G } } } fragment F on Todo { title } fragment G on Todo { title }'],
    [
      `{ todos(first: 1000) { nodes { ...F ...G } } } fragment F on Todo { title } fragment G on Todo { ${aliases(25, 'title')} }`,
    ],
    'cost 26101 is more than 25000',
  ],
  [
    'cost of the rows that a bulk mutation answers with',
    [createTodos(columns), { todos: items(1000) }],
    [createTodos(`${columns} ${aliases(24)}`), { todos: items(1000) }],
    'cost 26001 is more than 25000',
  ],
  ['time to plan', [withLists(14)], [withLists(15)], 'planning 1005 is more than 1000'],
  [
    'objects of a variable that is used again',
    [conditions(1), { f: ors(1000) }],
    [conditions(2), { f: ors(1000) }],
    'input objects 4002 is more than 2500',
  ],
  [
    'text of a variable that is used again',
    [conditions(4), { f: { title: { equalTo: 'x'.repeat(20_000) } } }],
    [conditions(6), { f: { title: { equalTo: 'x'.repeat(20_000) } } }],
    'input characters 120012 is more than 100000',
  ],
];

test.each(cases)('%s', async (_limit, allowed, refused, message) => {
  const within = await ada.graphql(...(allowed as [string, Record<string, unknown>]));
  expect(within.body.errors).toBeUndefined();
  const before = { ...server.database.counts.transactions };
  const { body } = await ada.graphql(...(refused as [string, Record<string, unknown>]));
  expect(body).toEqual({ errors: [{ message, extensions: { code: 'TOO_COMPLEX' } }] });
  expect(server.database.counts.transactions).toEqual(before);
});

test('fragments in a circle are refused', async () => {
  const { body } = await ada.graphql(
    '{ todos { nodes { ...A } } } fragment A on Todo { title ...B } fragment B on Todo { list { todos { nodes { ...A } } } }',
  );
  expect(body.data).toBeUndefined();
  expect(body.errors).toMatchObject([
    { message: 'Cannot spread fragment "A" within itself via "B".', extensions: { code: 'BAD_USER_INPUT' } },
  ]);
});

test('several operations in one request: only one is run, and an array of requests is refused', async () => {
  const array = await ada.graphql('').send([{ query: '{ __typename }' }] as never);
  expect(array.status).toBe(400);
  expect(array.body.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  const { body } = await ada.graphql('query A { __typename } query B { __typename }');
  expect(body.data).toBeUndefined();
});

test('outside production the schema can be asked for, as GraphiQL does', async () => {
  const { body } = await ada.graphql(getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true }));
  expect(body.errors).toBeUndefined();
  expect(body.data.__schema.queryType.name).toBe('Query');
});
