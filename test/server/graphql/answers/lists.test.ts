import fc from 'fast-check';
import {
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isInterfaceType,
  isLeafType,
  isNonNullType,
  isObjectType,
} from 'postgraphile/graphql';
import type { Identity } from '../../../../server/database/identity.ts';
import { writeLists } from '../../../../server/graphql/answers/lists.ts';
import { type Api, type Apis, startApis } from './apis.ts';

let apis: Apis;
let byGrafast: Api;
let written: Api;
/** How many lists of the last operation that was planned are written. */
let lists = 0;

beforeAll(async () => {
  apis = await startApis();
  byGrafast = await apis.api();
  written = await apis.api((plan) => {
    lists = writeLists(plan);
  });
});
afterAll(() => apis.close());

const plainly = (value: unknown) => JSON.parse(JSON.stringify(value));

type Composite = GraphQLObjectType | GraphQLInterfaceType;
const isComposite = (type: GraphQLNamedType): type is Composite => isObjectType(type) || isInterfaceType(type);

const somePages = ['', '(first: 2)', '(first: 0)', '(last: 1)', '(first: 2, offset: 1)'];

/** Some fields of a type, some twice, and of those some fields; nothing that has to be given arguments. */
function selection(type: Composite, depth: number): fc.Arbitrary<string> {
  const fields = Object.values(type.getFields()).filter(({ type, args }) => {
    const named = getNamedType(type);
    return !args.some(({ type }) => isNonNullType(type)) && (isLeafType(named) || (isComposite(named) && depth > 0));
  });
  const one = fc.constantFrom(undefined, ...fields, ...fields).chain((field) => {
    if (!field) return fc.constant('__typename');
    const named = getNamedType(field.type);
    const pages = field.args.some(({ name }) => name === 'first') ? somePages : [''];
    const inner = isComposite(named) ? selections(named, depth - 1) : fc.constant('');
    const parts = [fc.constantFrom(...pages), fc.constantFrom('', '', '', '@skip(if: true)'), inner];
    return fc.tuple(...parts).map(([page, skipped, fields]) => `${field.name}${page} ${skipped} ${fields}`);
  });
  return fc
    .array(one, { minLength: 1, maxLength: 5 })
    .map((fields) => `{ ${fields.map((field, index) => `${type.name}${index}: ${field}`).join(' ')} }`);
}

/** The same of an interface and of the types that it stands for. */
function selections(type: Composite, depth: number): fc.Arbitrary<string> {
  const types = isInterfaceType(type) ? [type, ...written.schema.getPossibleTypes(type)] : [type];
  return fc
    .tuple(...types.map((type) => selection(type, depth).map((fields) => `... on ${type.name} ${fields}`)))
    .map((parts) => `{ ${parts.join(' ')} }`);
}

const roots = ['kinds', 'todos', 'lists', 'faults', 'peeks', 'animals', 'auditEvents'];

/** Operations on one or two roots, from the schema itself. */
const documents = () =>
  fc.array(fc.constantFrom(...roots), { minLength: 1, maxLength: 2 }).chain((names) =>
    fc
      .tuple(
        ...names.map((name, index) => {
          const type = getNamedType(written.schema.getQueryType()?.getFields()[name]?.type as GraphQLOutputType);
          return selections(type as GraphQLObjectType, 4).map((fields) => `r${index}: ${name} ${fields}`);
        }),
      )
      .map((fields) => `query { ${fields.join(' ')} }`),
  );

test('whatever is asked: what is written is what Grafast would write, to the letter', async () => {
  let [some, failed] = [0, 0];
  await fc.assert(
    fc.asyncProperty(documents(), async (document) => {
      const expected = plainly(await byGrafast.ask(document));
      expect(plainly(await written.ask(document))).toEqual(expected);
      if (lists > 0) some++;
      if (expected.errors) failed++;
      const { data } = await written.ask(document, true);
      expect(plainly(data ?? null)).toEqual(expected.data === undefined ? null : JSON.parse(expected.data));
    }),
    { numRuns: 200 },
  );
  expect(some).toBeGreaterThan(50);
  expect(failed).toBeGreaterThan(0);
}, 120_000);

test.each([
  ['{ todos(first: 5, orderBy: CREATED_AT_DESC) { nodes { rowId title completed priority createdAt } } }', 1],
  ['{ lists { nodes { id name todos(first: 2) { nodes { title } totalCount } } } }', 2],
  [
    '{ todos { edges { cursor node { __typename id title list { name user { username } } } } pageInfo { endCursor } } }',
    1,
  ],
  ['{ kinds { nodes { words matrix moods data place { street } places { number } kindByParentN { label } } } }', 5],
  ['{ a: todos { nodes { title } } b: lists { nodes { name } } }', 2],
  ['{ todos { nodes { title @skip(if: true) } } lists { nodes { ... @include(if: false) { name } } } }', 2],
  // What is made for the one has to be there for the other, too.
  ['{ todos { nodes { title } edges { node { title } } } }', 0],
  ['{ node(id: "x") { id } todos { totalCount } }', 0],
  ['{ animals { nodes { __typename name ... on Cat { meow } } } }', 0],
])('%s: %d lists are written', async (document, count) => {
  const { data } = await written.ask(document);
  expect(lists).toBe(count);
  expect(data).toBe((await byGrafast.ask(document)).data);
});

test('a plan is prepared once', async () => {
  const document = '{ lists(first: 1) { nodes { name } } }';
  const counts = [];
  for (const _time of ['first', 'again']) {
    await written.ask(document);
    counts.push(lists);
  }
  expect(counts).toEqual([1, 0]);
});

test('lists of mutations are left to Grafast', async () => {
  const { data } = await written.ask(
    'mutation { createTodo(input: {todo: {title: "x"}}) { query { lists { nodes { todos { nodes { title } } } } } } }',
  );
  expect(JSON.parse(data as string).createTodo.query.lists.nodes).toHaveLength(3);
  expect(lists).toBe(0);
});

test.each([
  {
    what: 'an error that a step gives in the place of a value',
    document: '{ kinds(orderBy: N_ASC) { nodes { n flagged } } }',
    path: ['kinds', 'nodes', 1, 'flagged'],
    answer: '{"kinds":{"nodes":[{"n":1,"flagged":1},{"n":2,"flagged":null},{"n":3,"flagged":null}]}}',
  },
  {
    what: 'null where it is said never to be',
    document: '{ peeks(orderBy: N_ASC) { nodes { n ratio } } }',
    path: ['peeks', 'nodes', 2, 'ratio'],
    answer: '{"peeks":{"nodes":[{"n":1,"ratio":0.1},{"n":2,"ratio":0},null]}}',
  },
  {
    what: 'a value that cannot be written',
    document: '{ faults(orderBy: N_ASC) { nodes { label ratio } } }',
    path: ['faults', 'nodes', 1, 'ratio'],
    answer:
      '{"faults":{"nodes":[{"label":"sound","ratio":1},{"label":"odd","ratio":null},{"label":"sound","ratio":2}]}}',
  },
])('$what is an error in its place, and the other items are there', async ({ document, path, answer }) => {
  const { data, errors } = await written.ask(document);
  expect(lists).toBe(1);
  expect(data).toBe(answer);
  expect(errors?.map(({ path }) => path)).toEqual([path]);
  expect(plainly({ data, errors })).toEqual(plainly(await byGrafast.ask(document)));
});

test('each is answered with their own', async () => {
  const document = '{ lists(orderBy: NAME_ASC) { nodes { name todos(first: 1) { nodes { title } } } } }';
  const names = async (identity: Identity, asObjects: boolean) => {
    const { data } = await written.ask(document, asObjects, identity);
    const { lists } = (asObjects ? data : JSON.parse(data as string)) as { lists: { nodes: { name: string }[] } };
    return lists.nodes.map(({ name }) => name);
  };
  const { ada, bob } = apis;
  const all = await Promise.all([ada, bob, ada, bob].map((identity, index) => names(identity, index > 1)));
  expect(all).toEqual(['ada', 'bob', 'ada', 'bob'].map((name) => [1, 2, 3].map((n) => `${name} ${n}`)));
});
