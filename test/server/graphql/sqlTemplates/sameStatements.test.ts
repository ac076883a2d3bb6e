import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import pino from 'pino';
import { makeSchema } from 'postgraphile';
import { grafast } from 'postgraphile/grafast';
import type { ExecutionResult } from 'postgraphile/graphql';
import type { Statement } from '../../../../postgres/statement.ts';
import { preset } from '../../../../server/graphql/preset.ts';
import { minOffsetForKey, skipBeforeComputing } from '../../../../server/graphql/sqlTemplates/offset.ts';
import { Identity } from '../../../../server/tenancy/identity.ts';
import type { Database, IdentifiedClient, SqlRunner } from '../../../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { openConnections } from '../../../support/openDatabase.ts';
import { createAccount } from '../../../support/sql.ts';

type Variables = Record<string, unknown>;
type Ask = (document: string, variables: Variables, identity: Identity) => Promise<Asked>;

/** The answer, and the statements that the server sent for it. */
interface Asked {
  readonly answer: ExecutionResult;
  readonly statements: readonly Pick<Statement, 'text' | 'values'>[];
}

/** As they were sent: with what an offset skips in an inner select, where the text was remembered. */
let sentTexts: readonly string[] = [];

/** The statements that each request sent as a tenant. */
const clients: WeakRef<object>[] = [];
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
  const told: SqlRunner = {
    inspect: (statement, cancellation) => database.inspect(statement, cancellation),
    as: (...args) => {
      const client = telling(database.as(...args));
      clients.push(new WeakRef(client));
      return client;
    },
  };
  const log = pino({ level: 'silent' });
  const settings = { extends: [preset({ database: told, log, production: false })], disablePlugins };
  const { schema, resolvedPreset } = await makeSchema(settings);
  return async (source, variableValues, identity) => {
    sent = [];
    const requestContext = { expressv4: { req: { user: { identity }, get: () => undefined } } } as never;
    const answer = await grafast({ schema, source, variableValues, resolvedPreset, requestContext });
    sentTexts = sent.map(({ text }) => text);
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
  // A key that Postgres does not enforce over the rows of children.
  await db.asAdmin('create table app_public.notes (n int primary key, label text not null)');
  await db.asAdmin('create table app_public.more_notes () inherits (app_public.notes)');
  for (const table of ['notes', 'more_notes']) {
    await db.asAdmin(`grant select on app_public.${table} to hedgerow_tenant`);
    await db.asAdmin(`insert into app_public.${table} select n, '${table}' from generate_series(1, 150) n`);
  }
  withTemplates = await api([]);
  byPostGraphile = await api(['SqlTemplatesPlugin']);
});
afterAll(async () => {
  await database.close();
  await db.drop();
});

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(fc.option(value, { nil: null }), { nil: undefined });
const anyTodo = fc.nat({ max: 23 }).map((n) => tenants.flatMap(({ todoIds }) => todoIds)[n]);
const anyList = fc.nat({ max: 5 }).map((n) => tenants.flatMap(({ listIds }) => listIds)[n]);
const cursor = (orderBy: string) => fc.record({ n: fc.nat({ max: 11 }), orderBy: fc.constant(orderBy) });

/** A place behind the n-th todo, for anyone who asks. */
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
const orders = fc.array(fc.constantFrom('CREATED_AT_DESC', 'PRIORITY_ASC', 'TITLE_DESC', 'COMPLETED_DESC'), {
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
    `query ($constructor: Int, $toString: TodoFilter, $__proto__: [TodoOrderBy!] = TITLE_DESC) {
      todos(first: $constructor, filter: $toString, orderBy: $__proto__) { nodes { title } }
    }`,
    { constructor: maybe(number), toString: maybe(filter) },
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

test('repeated requests of all tenants have the same statements and answers as PostGraphile', async () => {
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(question, async ({ index, tenant, variables }) => {
      const document = documents[index]?.[0] as string;
      const { identity } = tenants[tenant] as (typeof tenants)[number];
      const given: Variables = {};
      for (const [name, value] of Object.entries(variables)) {
        if (value !== undefined) given[name] = await placed(value, identity);
      }
      const expected = await byPostGraphile(document, given, identity);
      if (expected.answer.data && !expected.answer.errors) answered++;
      for (const _time of ['first', 'again']) expect(await withTemplates(document, given, identity)).toEqual(expected);
    }),
    { numRuns: 400 },
  );
  expect(answered).toBeGreaterThan(200);
});

test('a page at a large offset is selected by key, and is the same', async () => {
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
    expect(statements.some(({ text }) => text.includes('using ("id","user_id")'))).toBe(
      Number(offset) >= minOffsetForKey,
    );
  }
});

test('a template keeps no value of the request that built it', async () => {
  const { identity, todoIds } = tenants[0] as (typeof tenants)[number];
  const document = `query ($id: UUID!, $n: Int) { todo(rowId: $id) { list { todos(first: $n) { totalCount } } } }`;
  clients.length = 0;
  for (const n of [1, 2, 3, 4, 5]) await withTemplates(document, { id: todoIds[0], n }, identity);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Grafast's plan keeps the context of the request that it was made for, and the last may still be on its way out.
  const kept = () => clients.slice(1, -1).filter((client) => client.deref() !== undefined);
  // A client lives until the tick in which it was last read has ended.
  for (let attempt = 0; attempt < 100 && kept().length > 0; attempt++) {
    await setImmediate();
    collect();
  }
  expect(kept()).toEqual([]);
});

test('a page at a large offset is not selected by a key that is not enforced', async () => {
  const { identity } = tenants[0] as (typeof tenants)[number];
  const document = '{ notes(first: 5, offset: 250, orderBy: N_ASC) { nodes { n } } }';
  const { answer } = await withTemplates(document, {}, identity);
  expect(answer).toEqual({ data: { notes: { nodes: [126, 126, 127, 127, 128].map((n) => ({ n })) } } });
});

test('what a tenant looks for is not remembered, where the time of an answer could tell another of it', async () => {
  const { identity } = tenants[0] as (typeof tenants)[number];
  const document = 'query ($filter: TodoFilter) { todos(first: 2, offset: 1, filter: $filter) { nodes { title } } }';
  const isRemembered = async (variables: Variables) => {
    await withTemplates(document, variables, identity);
    return sentTexts.some((text) => text.includes('from (select'));
  };
  expect(await isRemembered({})).toBe(true);
  for (const _time of ['first', 'again'])
    expect(await isRemembered({ filter: { title: { equalTo: 'x' } } })).toBe(false);
});

test('members of two organizations share the statements, and get the rows of their own', async () => {
  const identities: Identity[] = [];
  for (const [index, { identity }] of tenants.entries()) {
    const organization = randomUUID();
    await db.asAdmin(
      `with organization as (
        insert into app_public.organizations (id, name) values ($1, $2)
      ), member as (
        insert into app_public.organization_members (organization_id, user_id, username, role)
        select $1, id, username, 'member' from app_public.users where id = $3
      ), project as (
        insert into app_public.projects (organization_id, name) select $1, 'project ' || n from generate_series(1, 3) n
        returning id
      )
      insert into app_public.tasks (organization_id, project_id, title, assignee_id)
      select $1, id, $2 || ' ' || n, $3 from project, generate_series(1, 4) n`,
      [organization, `organization ${index}`, identity.user],
    );
    identities.push(identity.actingFor(organization));
  }
  const documents: [string, Variables][] = [
    ['query ($n: Int) { tasks(first: $n, orderBy: TITLE_DESC) { nodes { title } totalCount } }', { n: 5 }],
    [
      `query ($filter: TaskFilter) {
        tasks(offset: 1, filter: $filter) { nodes { title project { name } assignee { role user { username } } } }
      }`,
      { filter: { title: { includes: '2' } } },
    ],
    [
      `query ($name: String!) {
        currentOrganization { name members { nodes { user { username } assignedTasks { totalCount } } } }
        projectByName(name: $name) { name tasks(first: 2) { nodes { title } pageInfo { hasNextPage } } }
      }`,
      { name: 'project 1' },
    ],
    ['query ($query: String!) { searchTasks(query: $query) { nodes { title } } }', { query: 'organization' }],
  ];
  for (const [document, variables] of documents) {
    const answers = new Set<string>();
    const texts = new Set<string>();
    for (const identity of [...identities, ...identities]) {
      const expected = await byPostGraphile(document, variables, identity);
      expect(expected.answer.errors).toBeUndefined();
      const { answer, statements } = await withTemplates(document, variables, identity);
      expect({ answer, statements }).toEqual(expected);
      answers.add(JSON.stringify(answer));
      texts.add(statements.map(({ text }) => text).join());
    }
    expect([answers.size, texts.size]).toEqual([2, 1]);
  }
});
