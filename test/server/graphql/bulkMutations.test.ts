import { randomUUID } from 'node:crypto';
import { makeRows } from '../../support/rows.ts';
import { graphql, serve, signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let ada: Tenant;
let bob: Tenant;
let bobsTodo: string;
let bobsList: string;

beforeAll(async () => {
  server = await startTestServer();
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
  ({ todoRow: bobsTodo, listRow: bobsList } = await makeRows(bob, "bob's"));
});
afterAll(() => server.close());

type Item = Record<string, unknown>;

const documents = {
  createTodos: `mutation ($items: [TodoInput!]!) {
    createTodos(input: {todos: $items, clientMutationId: "x"}) { clientMutationId todos { rowId title description completed priority list { name } } }
  }`,
  updateTodos: `mutation ($items: [UpdateTodosItem!]!) {
    updateTodos(input: {updates: $items}) { todos { rowId title description completed priority } }
  }`,
  completeTodos: `mutation ($items: [UUID!]!) { completeTodos(input: {rowIds: $items}) { todos { rowId completed } } }`,
  deleteTodos: `mutation ($items: [UUID!]!) { deleteTodos(input: {rowIds: $items}) { deletedRowIds } }`,
};
type Name = keyof typeof documents;

async function send(tenant: Tenant, name: Name, items: readonly unknown[]) {
  const { body } = await tenant.graphql(documents[name], { items });
  return body;
}

async function done(tenant: Tenant, name: Name, items: readonly unknown[]) {
  const body = await send(tenant, name, items);
  expect(body.errors).toBeUndefined();
  return body.data[name];
}

async function create(tenant: Tenant, ...titles: string[]): Promise<string[]> {
  const { todos } = await done(
    tenant,
    'createTodos',
    titles.map((title) => ({ title })),
  );
  return todos.map(({ rowId }: { rowId: string }) => rowId);
}

function allRows(): Promise<unknown> {
  return server.db.asAdmin(
    `select xmin::text, to_jsonb(t) as row from app_public.todos t
    union all select xmin::text, to_jsonb(l) from app_public.lists l order by 2`,
  );
}

/** Sends what must fail, and looks that nothing has changed. */
async function refused(name: Name, items: readonly unknown[], document = documents[name]) {
  const before = await allRows();
  const { body } = await ada.graphql(document, { items });
  expect(body.data?.[name] ?? null).toBeNull();
  expect(body.errors).toHaveLength(1);
  expect(await allRows()).toEqual(before);
  return body.errors[0];
}

describe('creating', () => {
  test('answers in the order of the input, each item with its own values or the defaults', async () => {
    const { listRow, listName } = await makeRows(ada, 'with a list');
    const rowId = randomUUID();
    const answer = await done(ada, 'createTodos', [
      { title: 'b' },
      { rowId, title: 'a', description: "it's", completed: true, priority: 5, listId: listRow },
      { title: 'c', description: null, priority: 0 },
    ]);
    const empty = { rowId: expect.any(String), description: null, completed: false, priority: 0, list: null };
    expect(answer).toEqual({
      clientMutationId: 'x',
      todos: [
        { ...empty, title: 'b' },
        { rowId, title: 'a', description: "it's", completed: true, priority: 5, list: { name: listName } },
        { ...empty, title: 'c' },
      ],
    });
  });

  test('makes a thousand in one statement', async () => {
    await server.db.asAdmin('create table public.statements (rows int)');
    await server.db.asAdmin(
      `create function public.count_statement() returns trigger language plpgsql security definer set search_path = '' as
      $$ begin insert into public.statements select count(*) from added; return null; end $$`,
    );
    await server.db.asAdmin(
      `create trigger count_statement after insert on app_public.todos referencing new table as added
      for each statement execute function public.count_statement()`,
    );
    const carol = await signUp(server.app, 'carol');
    const titles = Array.from({ length: 1000 }, (_, index) => `todo ${index}`);
    const { todos } = await done(
      carol,
      'createTodos',
      titles.map((title, index) => (index % 3 ? { title } : { title, priority: 3 })),
    );
    expect(todos.map(({ title }: Item) => title)).toEqual(titles);
    expect(await server.db.asAdmin('select rows from public.statements')).toEqual([{ rows: 1000 }]);
    await server.db.asAdmin('drop trigger count_statement on app_public.todos');

    const ids = todos.map(({ rowId }: Item) => rowId);
    const changed = await done(
      carol,
      'updateTodos',
      ids.map((rowId: string, index: number) => ({ rowId, patch: { title: `t${index}` } })),
    );
    expect(changed.todos.map(({ title }: Item) => title)).toEqual(titles.map((_, index) => `t${index}`));
    expect((await done(carol, 'completeTodos', ids)).todos).toEqual(
      ids.map((rowId: string) => ({ rowId, completed: true })),
    );
    expect(await done(carol, 'deleteTodos', ids)).toEqual({ deletedRowIds: ids });
    expect((await carol.graphql('{ todos { totalCount } }')).body.data.todos.totalCount).toBe(0);
  });

  test('nothing is done for an empty list', async () => {
    const before = await allRows();
    expect(await done(ada, 'createTodos', [])).toMatchObject({ todos: [] });
    expect(await done(ada, 'updateTodos', [])).toEqual({ todos: [] });
    expect(await done(ada, 'completeTodos', [])).toEqual({ todos: [] });
    expect(await done(ada, 'deleteTodos', [])).toEqual({ deletedRowIds: [] });
    expect(await allRows()).toEqual(before);
  });

  test.each([
    ['a title that is too long', { title: 'x'.repeat(256) }, 'BAD_USER_INPUT'],
    ['a priority out of range', { title: 'x', priority: 6 }, 'BAD_USER_INPUT'],
    ['a priority that is no smallint', { title: 'x', priority: 100_000 }, 'BAD_USER_INPUT'],
    ['a date that is none', { title: 'x', dueDate: '2026-02-31' }, 'BAD_USER_INPUT'],
    ['NUL', { title: 'x\0' }, 'BAD_USER_INPUT'],
    ['a list that does not exist', { title: 'x', listId: randomUUID() }, 'BAD_USER_INPUT'],
  ])('names the item with %s, and does none of them', async (_what, bad, code) => {
    for (const [at, count] of [
      [0, 1],
      [0, 5],
      [3, 7],
      [999, 1000],
    ] as const) {
      const items: Item[] = Array.from({ length: count }, (_, index) => ({ title: `${index}` }));
      items[at] = bad;
      // Rows after the first failure do not matter.
      if (at === 3) items[5] = { title: '' };
      expect((await refused('createTodos', items)).extensions).toMatchObject({ code, index: at });
    }
  });

  test("takes another tenant's list for one that does not exist", async () => {
    const hidden = await refused('createTodos', [{ title: 'x' }, { title: 'x', listId: bobsList }]);
    const missing = await refused('createTodos', [{ title: 'x' }, { title: 'x', listId: randomUUID() }]);
    expect(hidden).toEqual(missing);
    expect(hidden.extensions).toMatchObject({ code: 'BAD_USER_INPUT', index: 1 });
  });

  test('names an item that is there already, or a second time', async () => {
    const [rowId] = await create(ada, 'there');
    const twice = randomUUID();
    expect((await refused('createTodos', [{ title: 'x' }, { rowId, title: 'y' }])).extensions).toMatchObject({
      code: 'CONFLICT',
      index: 1,
    });
    const items = [{ title: 'x' }, { rowId: twice, title: 'y' }, { title: 'z' }, { rowId: twice, title: 'y' }];
    expect((await refused('createTodos', items)).extensions).toMatchObject({ code: 'CONFLICT', index: 3 });
  });

  test("another tenant's ids are free to take", async () => {
    expect((await done(ada, 'createTodos', [{ rowId: bobsTodo, title: "ada's" }])).todos[0].title).toBe("ada's");
    expect((await done(ada, 'deleteTodos', [bobsTodo])).deletedRowIds).toEqual([bobsTodo]);
    expect(
      (await bob.graphql('query ($id: UUID!) { todo(rowId: $id) { title } }', { id: bobsTodo })).body.data.todo.title,
    ).toBe("bob's");
  });

  test('the input cannot name an owner', async () => {
    const { code } = (await refused('createTodos', [{ title: 'x', userId: bob.id }])).extensions;
    expect(code).toBe('BAD_USER_INPUT');
    const [rowId] = await create(ada, 'x');
    const error = await refused('updateTodos', [{ rowId, patch: { userId: bob.id } }]);
    expect(error.extensions.code).toBe('BAD_USER_INPUT');
  });

  test('works for any table, and names its constraint', async () => {
    const lists = (names: string[]) =>
      ada.graphql('mutation ($lists: [ListInput!]!) { createLists(input: {lists: $lists}) { lists { name } } }', {
        lists: names.map((name) => ({ name })),
      });
    const [a, b] = [randomUUID(), randomUUID()];
    expect((await lists([b, a])).body.data.createLists.lists).toEqual([{ name: b }, { name: a }]);
    const { body } = await lists([randomUUID(), randomUUID(), a]);
    expect(body.data.createLists).toBeNull();
    expect(body.errors[0].extensions).toMatchObject({ code: 'CONFLICT', index: 2 });
  });
});

describe('updating', () => {
  test('each in its own way: what a patch does not say stays, and null is a value', async () => {
    const { todos } = await done(ada, 'createTodos', [
      { title: 'a', description: 'of a', priority: 1 },
      { title: 'b', description: 'of b', priority: 2 },
      { title: 'c', description: 'of c', priority: 3 },
    ]);
    const [a, b, c] = todos.map(({ rowId }: Item) => rowId);
    expect(
      await done(ada, 'updateTodos', [
        { rowId: c, patch: { description: null } },
        { rowId: a, patch: { title: 'A', completed: true } },
        { rowId: b, patch: { priority: 5 } },
      ]),
    ).toEqual({
      todos: [
        { rowId: c, title: 'c', description: null, completed: false, priority: 3 },
        { rowId: a, title: 'A', description: 'of a', completed: true, priority: 1 },
        { rowId: b, title: 'b', description: 'of b', completed: false, priority: 5 },
      ],
    });
  });

  test('leaves columns that may be null where only other patches speak of them', async () => {
    const { todos } = await done(ada, 'createTodos', [
      { title: 'a', description: 'of a', dueDate: '2030-01-01' },
      { title: 'b', description: 'of b', dueDate: '2030-01-02' },
    ]);
    const [a, b] = todos.map(({ rowId }: Item) => rowId);
    const { body } = await ada.graphql(
      'mutation ($updates: [UpdateTodosItem!]!) { updateTodos(input: {updates: $updates}) { todos { description dueDate } } }',
      {
        updates: [
          { rowId: a, patch: { description: 'new' } },
          { rowId: b, patch: { dueDate: null } },
        ],
      },
    );
    expect(body.data.updateTodos.todos).toEqual([
      { description: 'new', dueDate: '2030-01-01' },
      { description: 'of b', dueDate: null },
    ]);
  });

  test('names the first item that breaks a rule, and does none of them', async () => {
    const ids = await create(ada, ...Array.from({ length: 50 }, (_, index) => `${index}`));
    const items = ids.map((rowId, index) => ({ rowId, patch: { title: [23, 42].includes(index) ? '' : 'changed' } }));
    expect((await refused('updateTodos', items)).extensions).toMatchObject({ code: 'BAD_USER_INPUT', index: 23 });
  });

  test('names the first item, whether its row is missing or its patch is wrong', async () => {
    const ids = await create(ada, ...Array.from({ length: 10 }, (_, index) => `${index}`));
    const items: Item[] = ids.map((rowId) => ({ rowId, patch: { title: 'changed' } }));
    items[7] = { rowId: ids[7], patch: { priority: 9 } };
    items[4] = { rowId: randomUUID(), patch: { title: 'x' } };
    expect((await refused('updateTodos', items)).extensions).toMatchObject({ code: 'NOT_FOUND', index: 4 });
    items[2] = { rowId: ids[2], patch: { priority: 9 } };
    expect((await refused('updateTodos', items)).extensions).toMatchObject({ code: 'BAD_USER_INPUT', index: 2 });
  });

  test('refuses an empty patch', async () => {
    const ids = await create(ada, 'a', 'b');
    const items = [
      { rowId: ids[0], patch: { title: 'x' } },
      { rowId: ids[1], patch: {} },
    ];
    expect((await refused('updateTodos', items)).extensions).toMatchObject({ code: 'BAD_USER_INPUT', index: 1 });
  });

  test('updates that depend on their order succeed', async () => {
    const { body } = await ada.graphql(
      'mutation ($lists: [ListInput!]!) { createLists(input: {lists: $lists}) { lists { rowId } } }',
      {
        lists: ['first', 'second', 'third'].map((name) => ({ name })),
      },
    );
    const [first, second, third] = body.data.createLists.lists.map(({ rowId }: Item) => rowId);
    const answer = await ada.graphql(
      'mutation ($updates: [UpdateListsItem!]!) { updateLists(input: {updates: $updates}) { lists { name } } }',
      {
        updates: [
          { rowId: third, patch: { name: 'fourth' } },
          { rowId: second, patch: { name: 'third' } },
          { rowId: first, patch: { name: 'second' } },
        ],
      },
    );
    expect(answer.body.data.updateLists.lists).toEqual([{ name: 'fourth' }, { name: 'third' }, { name: 'second' }]);
  });
});

test('complete sets completed, and clears it again', async () => {
  const ids = await create(ada, 'a', 'b', 'c');
  const order = [ids[2], ids[0]];
  expect((await done(ada, 'completeTodos', order)).todos).toEqual(order.map((rowId) => ({ rowId, completed: true })));
  const { body } = await ada.graphql(
    'mutation ($ids: [UUID!]!) { completeTodos(input: {rowIds: $ids, completed: false}) { todos { completed } query { todos { totalCount } } } }',
    { ids },
  );
  expect(body.data.completeTodos.todos).toEqual([{ completed: false }, { completed: false }, { completed: false }]);
  expect(body.data.completeTodos.query.todos.totalCount).toBeGreaterThan(2);
});

describe.each<[Name, (rowId: string) => unknown]>([
  ['updateTodos', (rowId: string) => ({ rowId, patch: { title: 'changed' } })],
  ['completeTodos', (rowId: string) => rowId],
  ['deleteTodos', (rowId: string) => rowId],
])('%s', (name, item) => {
  test("another tenant's row and a missing row give the same error, and no item is applied", async () => {
    const ids = await create(ada, 'a', 'b', 'c');
    for (const index of [0, 2, 3]) {
      const hidden = await refused(name, ids.toSpliced(index, 0, bobsTodo).map(item));
      const missing = await refused(name, ids.toSpliced(index, 0, randomUUID()).map(item));
      expect(hidden).toEqual(missing);
      expect(hidden).toMatchObject({ message: 'There is no such row.', extensions: { code: 'NOT_FOUND', index } });
    }
    expect(await done(ada, name, ids.map(item))).toBeTruthy();
  });

  test('refuses a row that is named twice, in either case', async () => {
    const [a, b] = (await create(ada, 'a', 'b')) as [string, string];
    for (const again of [a, a.toUpperCase()]) {
      const error = await refused(name, [a, b, again].map(item));
      expect(error).toMatchObject({ extensions: { code: 'BAD_USER_INPUT', index: 2 } });
    }
  });

  test('refuses what is no id', async () => {
    expect((await refused(name, ['1'].map(item))).extensions.code).toBe('BAD_USER_INPUT');
  });
});

test.each<[Name, string, () => unknown]>([
  ['createTodos', 'todos', () => ({ title: 'x' })],
  ['updateTodos', 'updates', () => ({ rowId: randomUUID(), patch: { completed: true } })],
  ['completeTodos', 'rowIds', () => randomUUID()],
  ['deleteTodos', 'rowIds', () => randomUUID()],
])('%s takes at most 1,000', async (name, _field, item) => {
  expect(await refused(name, Array.from({ length: 1001 }, item))).toMatchObject({
    message: 'input list 1001 is more than 1000',
    extensions: { code: 'TOO_COMPLEX' },
  });
});

test('more than 1,000 literals are refused', async () => {
  const ids = JSON.stringify(Array.from({ length: 1001 }, () => randomUUID()));
  const document = `mutation { deleteTodos(input: {rowIds: ${ids}}) { deletedRowIds } }`;
  expect(await refused('deleteTodos', [], document)).toMatchObject({
    message: 'rowIds must have at most 1000 items, not 1001.',
    extensions: { code: 'BAD_USER_INPUT' },
  });
});

test('keys of text are two where their case differs', async () => {
  const own = 'user_id = (select app_public.current_user_id())';
  await server.db.asAdmin(`create table app_public.labels (
    user_id uuid not null default app_public.current_user_id(), word text not null, primary key (user_id, word))`);
  await server.db.asAdmin('alter table app_public.labels enable row level security, force row level security');
  for (const command of ['select', 'delete']) {
    await server.db.asAdmin(
      `create policy ${command}_own on app_public.labels for ${command} to hedgerow_tenant using (${own})`,
    );
  }
  await server.db.asAdmin('grant select, delete on app_public.labels to hedgerow_tenant');
  await server.db.asAdmin("insert into app_public.labels values ($1, 'a'), ($1, 'A')", [ada.id]);
  const again = await serve(server.db);
  try {
    const document = 'mutation ($words: [String!]!) { deleteLabels(input: {words: $words}) { deletedWords } }';
    const remove = async (words: string[]) => {
      const request = graphql(again.app, ada.token, document, { words });
      return (await request).body;
    };
    expect((await remove(['a', 'A', 'a'])).errors[0].extensions).toMatchObject({ code: 'BAD_USER_INPUT', index: 2 });
    expect((await remove(['a', 'A'])).data).toEqual({ deleteLabels: { deletedWords: ['a', 'A'] } });
  } finally {
    await again.close();
  }
});
