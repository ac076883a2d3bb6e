import fc from 'fast-check';
import pino from 'pino';
import { makeSchema } from 'postgraphile';
import { grafast } from 'postgraphile/grafast';
import type { ExecutionResult } from 'postgraphile/graphql';
import type { Database, IdentifiedClient } from '../../../../server/database/database.ts';
import { Identity } from '../../../../server/database/identity.ts';
import type { Statement } from '../../../../server/database/statement.ts';
import { preset } from '../../../../server/graphql/preset.ts';
import { far, skipBeforeComputing } from '../../../../server/graphql/selects/offset.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { openConnections } from '../../../support/openDatabase.ts';
import { createAccount } from '../../../support/sql.ts';

type Variables = Record<string, unknown>;
type Ask = (document: string, variables: Variables, identity: Identity) => Promise<Asked>;

/** What was answered, and what was sent to be able to. */
interface Asked {
  readonly answer: ExecutionResult;
  readonly statements: readonly Pick<Statement, 'text' | 'values'>[];
}

let db: TestDatabase;
let database: Database;
let withTemplates: Ask;
let byPostGraphile: Ask;
const tenants: { identity: Identity; todoIds: string[]; listIds: string[] }[] = [];

/** The API without its HTTP, which tells what it sends. */
async function api(disablePlugins: string[]): Promise<Ask> {
  let sent: Statement[] = [];
  const telling = (client: IdentifiedClient): IdentifiedClient => ({
    ...client,
    query: (statement) => {
      sent.push(statement);
      return client.query(statement);
    },
  });
  const told: Database = { ...database, as: (...args) => telling(database.as(...args)) };
  const log = pino({ level: 'silent' });
  const settings = { extends: [preset({ database: told, log, production: false })], disablePlugins };
  const { schema, resolvedPreset } = await makeSchema(settings);
  return async (source, variableValues, identity) => {
    sent = [];
    const requestContext = { expressv4: { req: { user: { identity }, get: () => undefined } } } as never;
    const answer = await grafast({ schema, source, variableValues, resolvedPreset, requestContext });
    const statements = sent.map(({ text, values = [] }) => ({ text: skipBeforeComputing(text), values }));
    // Which of those of one tick comes first is not said.
    statements.sort((a, b) => a.text.localeCompare(b.text));
    return { answer: JSON.parse(JSON.stringify(answer)), statements };
  };
}

beforeAll(async () => {
  db = await createTestDatabase();
  database = openConnections(db);
  for (const name of ['ada', 'bob']) {
    const { id, sessionId } = await createAccount(db, name);
    const rows = await db.asAdmin<{ id: string; kind: string }>(
      `with list as (
        insert into app_public.lists (user_id, name) select $1, 'list ' || n from generate_series(1, 3) n returning id
      ), todo as (
        insert into app_public.todos (user_id, list_id, title, priority)
        select $1, list.id, $2 || ' ' || n, n % 4 from list, generate_series(1, 4) n returning id
      ) select id, 'list' as kind from list union all select id, 'todo' from todo`,
      [id, name],
    );
    const ids = (kind: string) => rows.filter((row) => row.kind === kind).map((row) => row.id);
    tenants.push({ identity: Identity.tenant(id, sessionId), todoIds: ids('todo'), listIds: ids('list') });
  }
  withTemplates = await api(['TextAnswersPlugin']);
  byPostGraphile = await api(['TextAnswersPlugin', 'SelectsPlugin']);
});
afterAll(async () => {
  await database.close();
  await db.drop();
});

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(fc.option(value, { nil: null }), { nil: undefined });
const anyTodo = fc.nat({ max: 23 }).map((n) => tenants.flatMap(({ todoIds }) => todoIds)[n]);
const anyList = fc.nat({ max: 5 }).map((n) => tenants.flatMap(({ listIds }) => listIds)[n]);
const cursor = (orderBy: string) => fc.record({ n: fc.nat({ max: 11 }), orderBy: fc.constant(orderBy) });

/** A place behind the n-th todo, for whoever asks. */
interface Place {
  readonly n: number;
  readonly orderBy: string;
}

const filter = fc.oneof(
  fc.record({ title: fc.record({ includesInsensitive: fc.constantFrom('a', '1', '%', "'") }) }),
  fc.record({ priority: fc.oneof(fc.record({ in: fc.array(fc.nat(4)) }), fc.record({ isNull: fc.boolean() })) }),
  fc.record({ list: fc.record({ name: fc.record({ equalTo: fc.constantFrom('list 1', 'list 2') }) }) }),
  fc.record({ not: fc.record({ listId: fc.record({ equalTo: anyList }) }) }),
  fc.constant({}),
);
const orders = fc.array(fc.constantFrom('CREATED_AT_DESC', 'PRIORITY_ASC', 'TITLE_DESC', 'LIST_BY_LIST_ID__NAME_ASC'), {
  maxLength: 3,
});
const number = fc.constantFrom(0, 1, 2, 5, 100);

const documents: readonly [string, Record<string, fc.Arbitrary<unknown>>][] = [
  ['{ todos(first: 2, orderBy: TITLE_DESC) { nodes { title createdAt list { name } } pageInfo { hasNextPage } } }', {}],
  [
    `query ($first: Int, $last: Int, $offset: Int, $orderBy: [TodoOrderBy!], $filter: TodoFilter) {
      todos(first: $first, last: $last, offset: $offset, orderBy: $orderBy, filter: $filter) {
        nodes { title priority completed } totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }`,
    {
      ...{ first: maybe(number), last: fc.constantFrom(undefined, undefined, null, 2) },
      ...{ offset: maybe(number), orderBy: maybe(orders), filter: maybe(filter) },
    },
  ],
  ['query ($id: UUID!) { todo(rowId: $id) { title list { name todos(first: 1) { totalCount } } } }', { id: anyTodo }],
  [
    'query ($a: UUID!, $b: UUID!) { a: todo(rowId: $a) { title } b: todo(rowId: $b) { rowId } }',
    { a: anyTodo, b: anyTodo },
  ],
  [
    `query ($n: Int, $filter: TodoFilter) {
      lists(orderBy: NAME_ASC, offset: $n) {
        nodes { name todos(first: $n, filter: $filter, orderBy: PRIORITY_ASC) { nodes { title } totalCount pageInfo { hasNextPage } } }
      }
    }`,
    { n: maybe(number), filter: maybe(filter) },
  ],
  [
    `query ($after: Cursor, $before: Cursor, $first: Int) {
      todos(orderBy: [PRIORITY_ASC, TITLE_DESC], after: $after, before: $before, first: $first) {
        edges { cursor node { title } } pageInfo { hasNextPage hasPreviousPage }
      }
    }`,
    {
      after: maybe(fc.oneof(cursor('[PRIORITY_ASC, TITLE_DESC]'), cursor('TITLE_DESC'))),
      ...{ before: maybe(cursor('[PRIORITY_ASC, TITLE_DESC]')), first: maybe(number) },
    },
  ],
  [
    'query ($yes: Boolean!, $id: UUID!) { list(rowId: $id) { name todos @include(if: $yes) { nodes { title } } } }',
    { yes: fc.boolean(), id: anyList },
  ],
  [
    'query ($query: String!, $n: Int) { searchTodos(query: $query, first: $n, offset: $n) { nodes { title } } }',
    { query: fc.constantFrom('ada', 'bob 1', ''), n: maybe(number) },
  ],
  [
    `mutation ($id: UUID!, $n: Int) {
      updateTodo(input: {rowId: $id, patch: {completed: true}}) { todo { title list { todos(first: $n) { totalCount } } } }
    }`,
    { id: anyTodo, n: maybe(number) },
  ],
];

async function placed(value: unknown, identity: Identity): Promise<unknown> {
  if (typeof value !== 'object' || value === null || !('n' in value)) return value;
  const { n, orderBy } = value as Place;
  const document = `{ todos(orderBy: ${orderBy}, offset: ${n}, first: 1) { pageInfo { endCursor } } }`;
  const { answer } = await byPostGraphile(document, {}, identity);
  return (answer as { data: { todos: { pageInfo: { endCursor: string } } } }).data.todos.pageInfo.endCursor;
}

const question = fc.nat({ max: documents.length - 1 }).chain((index) =>
  fc.record({
    index: fc.constant(index),
    tenant: fc.nat({ max: 1 }),
    variables: fc.record(documents[index]?.[1] ?? {}),
  }),
);

test('whatever is asked, again and by whom: the statements and the answer are those of PostGraphile', async () => {
  await fc.assert(
    fc.asyncProperty(question, async ({ index, tenant, variables }) => {
      const document = documents[index]?.[0] as string;
      const { identity } = tenants[tenant] as (typeof tenants)[number];
      const given: Variables = {};
      for (const [name, value] of Object.entries(variables)) {
        if (value !== undefined) given[name] = await placed(value, identity);
      }
      const expected = await byPostGraphile(document, given, identity);
      for (const _time of ['first', 'again']) expect(await withTemplates(document, given, identity)).toEqual(expected);
    }),
    { numRuns: 400 },
  );
});

test('a page far behind is found by keys, and is the same', async () => {
  const { id, sessionId } = await createAccount(db, 'carol');
  await db.asAdmin(
    `insert into app_public.todos (user_id, title, priority)
     select $1, 'todo ' || n % 50, n % 3 from generate_series(1, 450) n`,
    [id],
  );
  const carol = Identity.tenant(id, sessionId);
  const orders = ['orderBy: [TITLE_ASC, PRIORITY_DESC]', 'orderBy: PRIORITY_DESC, filter: {priority: {in: [0, 1, 2]}}'];
  for (const [order, offset] of orders.flatMap((order) => [199, 200, 447, 450].map((offset) => [order, offset]))) {
    const document = `{ todos(first: 5, offset: ${offset}, ${order}) {
      nodes { rowId title priority } pageInfo { hasNextPage endCursor } totalCount
    } }`;
    const { answer, statements } = await withTemplates(document, {}, carol);
    expect(answer).toEqual((await byPostGraphile(document, {}, carol)).answer);
    expect(statements.some(({ text }) => text.includes('using ("user_id","id")'))).toBe(Number(offset) >= far);
  }
});
