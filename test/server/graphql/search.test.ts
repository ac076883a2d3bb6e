import { randomUUID } from 'node:crypto';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let ada: Tenant;
let bob: Tenant;

beforeAll(async () => {
  server = await startTestServer();
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
  const todos = [
    ['Buy groceries', 'milk, bread/butter'],
    ['Milk the cow', null],
    ['Milkshake', null],
    ['Walk the dog', 'before the <café> closes; call anna@example.com'],
    ['Größe messen', 'naïve ÉCOLE'],
    ['Cafe\u0301 crème', null],
    ['Купить молоко', null],
    ["Don't forget", 'C:\\temp 100% a_b'],
  ];
  for (const [title, description] of todos) await create(ada, title as string, description);
  await create(bob, 'Secret gooseberries', 'xylophone');
});
afterAll(() => server.close());

async function create(tenant: Tenant, title: string, description: string | null | undefined): Promise<void> {
  const { body } = await tenant.graphql(
    'mutation ($todo: TodoInput!) { createTodo(input: {todo: $todo}) { todo { rowId } } }',
    { todo: { title, description } },
  );
  expect(body.errors).toBeUndefined();
}

const search = 'query ($query: String!) { searchTodos(query: $query) { nodes { title } totalCount } }';

async function titles(tenant: Tenant, query: string): Promise<string[]> {
  const { body } = await tenant.graphql(search, { query });
  expect(body.errors).toBeUndefined();
  const { nodes, totalCount } = body.data.searchTodos;
  expect(totalCount).toBe(nodes.length);
  return nodes.map(({ title }: { title: string }) => title);
}

test.each([
  ['a whole word', 'groceries', ['Buy groceries']],
  ['the beginning of one', 'gro', ['Größe messen', 'Buy groceries']],
  ['a word with a slip in it', 'grocreis', ['Buy groceries']],
  ['two letters that changed places', 'wlak', ['Walk the dog']],
  ['a letter too few', 'mesen', ['Größe messen']],
  ['a slip beside a word without one', 'buy grocreis', ['Buy groceries']],
  ['words in any order, from title and description', 'butter gro', ['Buy groceries']],
  ['a word between punctuation', 'butter', ['Buy groceries']],
  ['a word in angle brackets', 'closes cafe', ['Walk the dog']],
  ['a part of an address', 'example', ['Walk the dog']],
  ['a whole address', 'anna@example.com', ['Walk the dog']],
  ['another case', 'GROCERIES', ['Buy groceries']],
  ['no accents', 'grosse', ['Größe messen']],
  ['accents where there are none', 'mílk ćow', ['Milk the cow']],
  ['capitals with accents', 'école', ['Größe messen']],
  ['accents as characters of their own', 'café', ['Café crème', 'Walk the dog']],
  ['another alphabet', 'МОЛОКО', ['Купить молоко']],
  ['a slip in another alphabet', 'мооко', ['Купить молоко']],
  ['an apostrophe', "don't", ["Don't forget"]],
  ['a number with a sign', '100%', ["Don't forget"]],
])('finds %s: %s', async (_what, query, expected) => {
  expect((await titles(ada, query)).map((title) => title.normalize())).toEqual(expected);
});

test.each([
  ['nothing', ''],
  ['blanks', ' \t\n '],
  ['a wildcard of LIKE', '%'],
  ['the other wildcard', '_'],
  ['a wildcard in a word', 'gr%s'],
  ['operators', '& | ! <-> ( ) :*'],
  ['a negation', '!xylo'],
  ['a choice', 'xylo | zither'],
  ['two words of which one is nowhere', 'milk helicopter'],
  ['a word that resembles none', 'helicopter'],
  ['a short word with a slip', 'cw'],
])('finds nothing for %s', async (_what, query) => {
  expect(await titles(ada, query)).toEqual([]);
});

test.each([
  "'",
  "''",
  '\\',
  "\\'",
  "milk') | 'x",
  "milk'; drop table app_public.todos; --",
  "' || (select 1) || '",
  '$$',
  '\u{1F33F}',
])('takes %s for plain text', async (query) => {
  await titles(ada, query);
  await titles(ada, `x${query}y ${query} groc`);
  expect(await titles(ada, 'groceries')).toEqual(['Buy groceries']);
});

test('the best is first: in the title before the description, the word before the beginning of one', async () => {
  expect(await titles(ada, 'milk')).toEqual(['Milk the cow', 'Milkshake', 'Buy groceries']);
});

test('of equals the newest is first, page by page, and a filter narrows them', async () => {
  const carol = await signUp(server.app, 'carol');
  const numbers = Array.from({ length: 7 }, (_, index) => index);
  for (const number of numbers) await create(carol, `Plant hedge ${number}`, null);
  await create(carol, 'Rest', 'after the hedge');
  const wanted = [...numbers.toReversed().map((number) => `Plant hedge ${number}`), 'Rest'];
  expect(await titles(carol, 'hedge')).toEqual(wanted);

  const seen: string[] = [];
  let after: string | null = null;
  do {
    const { body } = await carol.graphql(
      `query ($after: Cursor) { searchTodos(query: "hedge", first: 3, after: $after) {
        edges { cursor node { title } } pageInfo { hasNextPage endCursor } totalCount
      } }`,
      { after },
    );
    const { edges, pageInfo, totalCount } = body.data.searchTodos;
    expect(totalCount).toBe(wanted.length);
    expect(edges.at(-1).cursor).toBe(pageInfo.endCursor);
    seen.push(...edges.map(({ node }: { node: { title: string } }) => node.title));
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after);
  expect(seen).toEqual(wanted);

  const { body } = await carol.graphql(
    `{ offset: searchTodos(query: "hedge", first: 2, offset: 6) { nodes { title } }
      filtered: searchTodos(query: "hedge", filter: {description: {isNull: false}}) { nodes { title } totalCount } }`,
  );
  expect(body).toEqual({
    data: {
      offset: { nodes: [{ title: 'Plant hedge 0' }, { title: 'Rest' }] },
      filtered: { nodes: [{ title: 'Rest' }], totalCount: 1 },
    },
  });
});

test('a search finds the current text', async () => {
  const dora = await signUp(server.app, 'dora');
  const rowId = randomUUID();
  await dora.graphql(
    'mutation ($rowId: UUID!) { createTodo(input: {todo: {rowId: $rowId, title: "Old"}}) { todo { title } } }',
    { rowId },
  );
  expect(await titles(dora, 'old')).toEqual(['Old']);
  await dora.graphql(
    'mutation ($rowId: UUID!) { updateTodo(input: {rowId: $rowId, patch: {title: "New", description: "fresh"}}) { todo { title } } }',
    { rowId },
  );
  expect(await titles(dora, 'old')).toEqual([]);
  expect(await titles(dora, 'fresh')).toEqual(['New']);
  await dora.graphql('mutation ($rowId: UUID!) { deleteTodo(input: {rowId: $rowId}) { todo { title } } }', { rowId });
  expect(await titles(dora, 'new')).toEqual([]);
});

test("no tenant finds another's words, nor that they are near what was meant", async () => {
  for (const query of ['gooseberries', 'goose', 'gooseberires', 'xylophone', 'xylohpone']) {
    expect(await titles(bob, query)).toEqual(['Secret gooseberries']);
    expect(await titles(ada, query)).toEqual([]);
  }
  for (const query of ['groceries', 'grocreis']) expect(await titles(bob, query)).toEqual([]);
});

test('a query has at most 200 characters', async () => {
  expect(await titles(ada, 'ä'.repeat(200))).toEqual([]);
  const { body } = await ada.graphql(search, { query: 'ä'.repeat(201) });
  expect(body.errors[0]).toMatchObject({
    message: 'query must have at most 200 characters',
    extensions: { code: 'BAD_USER_INPUT' },
  });
});

test('a search counts only the first eight different words of its query', async () => {
  const fay = await signUp(server.app, 'fay');
  await create(fay, 'one two three four five six seven eight', null);
  const [title] = await titles(fay, 'one two three four five six seven eight');
  expect(await titles(fay, 'eight seven six five four three two one nowhere')).toEqual([title]);
  expect(await titles(fay, 'one one one two three four five six seven eihgt nowhere')).toEqual([title]);
  expect(await titles(fay, 'one two three four five six seven nowhere')).toEqual([]);
});

test('a search corrects words of up to 32 characters', async () => {
  const gil = await signUp(server.app, 'gil');
  await create(gil, `${'l'.repeat(31)}k`, 'x'.repeat(33));
  expect(await titles(gil, `k${'l'.repeat(31)}`)).toHaveLength(1);
  expect(await titles(gil, `y${'x'.repeat(32)}`)).toEqual([]);
  expect(await titles(gil, 'x'.repeat(33))).toHaveLength(1);
});

test('a search finds every word of many todos, and corrects words of the newest 5,000', async () => {
  const hal = await signUp(server.app, 'hal');
  await server.db.asAdmin(
    `insert into app_public.todos (user_id, title, created_at)
     select $1::uuid, case n when 1 then 'Hornbeam' when 5050 then 'Blackthorn' else 'Plant ' || n end,
       timestamptz '2025-01-01' + n * interval '1 minute'
     from generate_series(1, 5100) n`,
    [hal.id],
  );
  expect(await titles(hal, 'hornbeam')).toEqual(['Hornbeam']);
  expect(await titles(hal, 'blackthron')).toEqual(['Blackthorn']);
  expect(await titles(hal, 'hornbaem')).toEqual([]);
  await create(hal, 'Blackthorn before hornbeam', null);
  expect(await titles(hal, 'blackthron hornb')).toEqual(['Blackthorn before hornbeam']);
});

test('a search uses the ten known words that are closest to a misspelt one, the most frequent first', async () => {
  const ivy = await signUp(server.app, 'ivy');
  const letters = [...'abcdefghijklmno'];
  for (const letter of letters) await create(ivy, `hedgerow${letter}`, null);
  await create(ivy, 'hedgerowo', null);
  const found = await titles(ivy, 'hedgerowz');
  expect(found).toHaveLength(11);
  expect(found).toContain('hedgerowo');
});

test('NUL, and no query, are refused as input', async () => {
  for (const variables of [{ query: 'milk\0' }, { query: null }, {}]) {
    const { body } = await ada.graphql(search, variables);
    expect(body.data?.searchTodos ?? null).toBeNull();
    expect(body.errors[0].extensions.code).toBe('BAD_USER_INPUT');
  }
});

test('a todo as long as may be is kept and found', async () => {
  const eve = await signUp(server.app, 'eve');
  await create(eve, 'x'.repeat(255), 'y'.repeat(10_000));
  await create(eve, 'Many', Array.from({ length: 1000 }, (_, index) => `word${index}`).join(' '));
  expect(await titles(eve, 'word999')).toEqual(['Many']);
  expect(await titles(eve, 'xxxx')).toHaveLength(1);
  expect(await titles(eve, 'wrod1')).toEqual(['Many']);
});
