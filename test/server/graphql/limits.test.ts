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
    'cost 30201 is more than 25000',
  ],
  ['cost by variables', [pages, { n: 99 }], [pages, { n: 100 }], 'cost 25101 is more than 25000'],
  [
    'cost by edges in fragments',
    [
      '{ ...L } fragment L on Query { lists(first: 10) { edges { node { todos(first: 500) { ...T } } } } } fragment T on TodoConnection { edges { node { title } } }',
    ],
    [
      '{ ...L } fragment L on Query { lists(first: 50) { edges { node { todos(first: 500) { ...T } } } } } fragment T on TodoConnection { edges { node { title } } }',
    ],
    'cost 50151 is more than 25000',
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
