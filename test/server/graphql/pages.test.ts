import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let ada: Tenant;
let bob: Tenant;
beforeAll(async () => {
  server = await startTestServer();
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
  await server.db.asAdmin(
    `with list as (insert into app_public.lists (user_id, name) values ($1, 'Garden') returning id)
    insert into app_public.todos (user_id, title, list_id) select $1, to_char(i, 'FM0000'), id
    from list, generate_series(1, 1200) i`,
    [ada.id],
  );
  await server.db.asAdmin("insert into app_public.todos (user_id, title) values ($1, 'bob''s')", [bob.id]);
});
afterAll(() => server.close());

const page = 'nodes { title } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';

/** A page of todos in the order of their titles: the first title, the last, how many, and what pageInfo says. */
async function read(args: string, variables: Record<string, unknown> = {}, tenant = ada, declared = '') {
  const { body } = await tenant.graphql(
    `query ${declared} { todos(orderBy: TITLE_ASC ${args}) { ${page} } }`,
    variables,
  );
  expect(body.errors).toBeUndefined();
  const { nodes, totalCount, pageInfo } = body.data.todos;
  const { hasNextPage: next, hasPreviousPage: previous, startCursor, endCursor } = pageInfo;
  const [first, last] = [nodes[0]?.title, nodes.at(-1)?.title];
  return { first, last, count: nodes.length, totalCount, next, previous, startCursor, endCursor };
}

const all = { totalCount: 1200 };
const start = { ...all, first: '0001', previous: false };
const end = { ...all, last: '1200', next: false };

test.each([
  ['', {}, '', { ...start, last: '0100', count: 100, next: true }],
  [', first: null, last: null', {}, '', { ...start, count: 100, next: true }],
  [', first: 3', {}, '', { ...start, last: '0003', count: 3, next: true }],
  [', first: 1000', {}, '', { ...start, last: '1000', count: 1000, next: true }],
  [', first: 0', {}, '', { ...all, count: 0 }],
  [', last: 3', {}, '', { ...end, first: '1198', count: 3, previous: true }],
  [', offset: 1150', {}, '', { ...end, first: '1151', count: 50, previous: true }],
  [', offset: 1150, first: 2', {}, '', { ...all, first: '1151', last: '1152', count: 2, next: true, previous: true }],
  [', first: $n', { n: 7 }, '($n: Int)', { ...start, last: '0007', count: 7, next: true }],
  [', first: $n', { n: null }, '($n: Int)', { ...start, count: 100, next: true }],
  [', first: $n', {}, '($n: Int)', { ...start, count: 100, next: true }],
  [', first: $n', {}, '($n: Int = 12)', { ...start, count: 12, next: true }],
  [', last: $n', { n: 7 }, '($n: Int)', { ...end, first: '1194', count: 7, previous: true }],
  [', last: $n', {}, '($n: Int)', { ...start, count: 100, next: true }],
  [', first: $n, last: $m', { m: 2 }, '($n: Int, $m: Int)', { ...end, first: '1199', count: 2, previous: true }],
])('a page of todos(orderBy: TITLE_ASC%s) with %j', async (args, variables, declared, expected) => {
  expect(await read(args, variables, ada, declared)).toMatchObject(expected);
});

test.each([
  ['first: 1001', {}, 'first: 1001 exceeds the maximum page size (1000)', 'TOO_COMPLEX'],
  ['first: 5000', {}, 'first: 5000 exceeds the maximum page size (1000)', 'TOO_COMPLEX'],
  ['last: 1001', {}, 'last: 1001 exceeds the maximum page size (1000)', 'TOO_COMPLEX'],
  ['first: $n', { n: 1001 }, 'first: 1001 exceeds the maximum page size (1000)', 'TOO_COMPLEX'],
  ['last: $n', { n: 2 ** 31 - 1 }, 'last: 2147483647 exceeds the maximum page size (1000)', 'TOO_COMPLEX'],
  ['first: -1', {}, 'first: -1 is less than 0', 'BAD_USER_INPUT'],
  ['last: $n', { n: -5 }, 'last: -5 is less than 0', 'BAD_USER_INPUT'],
  ['offset: -1', {}, 'offset: -1 is less than 0', 'BAD_USER_INPUT'],
  ['first: 1, last: 1', {}, 'last cannot be combined with first', 'BAD_USER_INPUT'],
  ['last: 1, offset: 1', {}, 'last cannot be combined with offset', 'BAD_USER_INPUT'],
  ['last: $n, after: "x"', { n: 1 }, 'last cannot be combined with after', 'BAD_USER_INPUT'],
  ['before: "x", after: "x"', {}, 'before cannot be combined with after', 'BAD_USER_INPUT'],
])('todos(%s) with %j is refused: %s', async (args, variables, message, code) => {
  const before = { ...server.database.counts.transactions };
  for (const field of ['todos', 'currentUser { todos', 'lists { nodes { todos']) {
    const closed = '}'.repeat(field.split('{').length);
    const declared = args.includes('$n') ? '($n: Int)' : '';
    const { body } = await ada.graphql(`query ${declared} { ${field}(${args}) { totalCount } ${closed}`, variables);
    expect(body.data).toBeUndefined();
    expect(body.errors).toMatchObject([{ message, extensions: { code } }]);
  }
  expect(server.database.counts.transactions).toEqual(before);
});

test('pages follow one another by cursor, forwards and backwards, and leave nothing out', async () => {
  const titles: string[] = [];
  let after = '';
  for (;;) {
    const { body } = await ada.graphql(
      `{ todos(first: 250, orderBy: [PRIORITY_ASC, TITLE_DESC] ${after}) { ${page} } }`,
    );
    const { nodes, pageInfo, totalCount } = body.data.todos;
    titles.push(...nodes.map(({ title }: { title: string }) => title));
    expect(totalCount).toBe(1200);
    if (!pageInfo.hasNextPage) break;
    after = `, after: "${pageInfo.endCursor}"`;
  }
  expect(titles).toHaveLength(1200);
  expect(titles).toEqual([...new Set(titles)].sort().reverse());

  const { startCursor } = await read(', offset: 500');
  expect(await read(`, before: "${startCursor}"`)).toMatchObject({ first: '0401', last: '0500', count: 100 });
  expect(await read(`, last: 2, before: "${startCursor}"`)).toMatchObject({ first: '0499', last: '0500', count: 2 });
  expect(await read(', before: $c', { c: startCursor }, ada, '($c: Cursor)')).toMatchObject({ count: 100 });
  expect(await read(`, after: "${startCursor}"`)).toMatchObject({ first: '0502', last: '0601', count: 100 });
});

test('a connection inside a row has pages too, and is counted without being read', async () => {
  const { body } = await ada.graphql(
    `{ lists { nodes { todos(orderBy: TITLE_ASC) { ${page} }
      some: todos(first: 2, orderBy: TITLE_DESC) { nodes { title } pageInfo { hasNextPage } }
      none: todos(filter: {title: {equalTo: "x"}}) { totalCount } } }
      currentUser { todos(last: 1, orderBy: TITLE_ASC) { nodes { title } } } }`,
  );
  const [list] = body.data.lists.nodes;
  expect(list.todos).toMatchObject({ totalCount: 1200, pageInfo: { hasNextPage: true } });
  expect(list.todos.nodes).toHaveLength(100);
  expect(list.some).toEqual({ nodes: [{ title: '1200' }, { title: '1199' }], pageInfo: { hasNextPage: true } });
  expect(list.none.totalCount).toBe(0);
  expect(body.data.currentUser.todos.nodes).toEqual([{ title: '1200' }]);
});

test("another tenant's cursor is a place among one's own rows", async () => {
  const { endCursor } = await read(', first: 600');
  const after = await read(`, after: "${endCursor}"`, {}, bob);
  expect(after).toMatchObject({ first: "bob's", count: 1, totalCount: 1 });
  expect(await read(`, before: "${endCursor}"`, {}, bob)).toMatchObject({ count: 0, totalCount: 1 });
});
