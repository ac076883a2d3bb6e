import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
let server: TestServer;
let ada: Tenant;
let bob: Tenant;

// The same ids, texts and dates for two tenants, so that whatever finds one of them could find the other.
beforeAll(async () => {
  server = await startTestServer();
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
  for (const { id: user } of [ada, bob]) {
    await server.db.asAdmin(
      `insert into app_public.lists (user_id, id, name, created_at) values
        ($1, '${id(1)}', 'Garden', '2026-01-01'), ($1, '${id(2)}', 'House', '2026-02-01'), ($1, '${id(3)}', 'Empty', '2026-03-01')`,
      [user],
    );
    await server.db.asAdmin(
      `insert into app_public.todos
        (user_id, id, list_id, title, description, completed, priority, due_date, created_at) values
        ($1, '${id(1)}', '${id(1)}', 'Milk 100%', 'two litres', false, 1, '2026-05-01', '2026-01-01T10:00Z'),
        ($1, '${id(2)}', '${id(1)}', 'Hedge', null, true, 3, '2026-06-01', '2026-01-02T10:00Z'),
        ($1, '${id(3)}', '${id(2)}', 'buttermilk', 'one litre', false, 5, null, '2026-01-03T10:00Z'),
        ($1, '${id(4)}', null, 'Roof', 'tiles', true, 0, '2026-07-01', '2026-01-04T10:00Z')`,
      [user],
    );
  }
  // Bob's are told from Ada's by this alone.
  await server.db.asAdmin(`update app_public.todos set title = title || ' (bob)' where user_id = $1`, [bob.id]);
});
afterAll(() => server.close());

/** The last digits of the ids of the todos (or lists) that a filter finds, in order. */
async function find(filter: string, of: 'todos' | 'lists' = 'todos', tenant = ada): Promise<string> {
  const { body } = await tenant.graphql(
    `{ ${of}(filter: ${filter}, orderBy: ROW_ID_ASC) { nodes { rowId } totalCount } }`,
  );
  expect(body.errors).toBeUndefined();
  const { nodes, totalCount } = body.data[of];
  expect(totalCount).toBe(nodes.length);
  return nodes.map(({ rowId }: { rowId: string }) => rowId.at(-1)).join('');
}

test.each([
  // Text
  ['{title: {equalTo: "Hedge"}}', '2'],
  ['{title: {notEqualTo: "Hedge"}}', '134'],
  ['{title: {equalToInsensitive: "HEDGE"}}', '2'],
  ['{title: {includes: "ilk"}}', '13'],
  ['{title: {notIncludes: "ilk"}}', '24'],
  ['{title: {includes: "MILK"}}', ''],
  ['{title: {includesInsensitive: "MILK"}}', '13'],
  ['{title: {includes: "%"}}', '1'],
  ['{title: {startsWith: "R"}}', '4'],
  ['{title: {startsWithInsensitive: "r"}}', '4'],
  ['{title: {endsWith: "milk"}}', '3'],
  ['{title: {like: "%ilk%"}}', '13'],
  ['{title: {likeInsensitive: "h_dge"}}', '2'],
  ['{title: {in: ["Hedge", "Roof", "Nothing"]}}', '24'],
  ['{title: {notIn: ["Hedge", "Roof"]}}', '13'],
  ['{title: {greaterThan: "Hedge", lessThanOrEqualTo: "Roof"}}', '14'],
  ['{description: {isNull: true}}', '2'],
  ['{description: {isNull: false}}', '134'],
  ['{description: {distinctFrom: "tiles"}}', '123'],
  ['{description: {notDistinctFrom: "tiles"}}', '4'],
  // Whole numbers
  ['{priority: {equalTo: 3}}', '2'],
  ['{priority: {greaterThan: 2}}', '23'],
  ['{priority: {greaterThanOrEqualTo: 1, lessThan: 5}}', '12'],
  ['{priority: {lessThanOrEqualTo: 0}}', '4'],
  ['{priority: {in: [0, 5]}}', '34'],
  ['{priority: {notIn: [0, 5]}}', '12'],
  // Yes and no
  ['{completed: {equalTo: true}}', '24'],
  ['{completed: {notEqualTo: true}}', '13'],
  ['{completed: {in: [true, false]}}', '1234'],
  // Dates and times
  ['{dueDate: {lessThan: "2026-06-01"}}', '1'],
  ['{dueDate: {greaterThanOrEqualTo: "2026-06-01"}}', '24'],
  ['{dueDate: {isNull: true}}', '3'],
  ['{dueDate: {in: ["2026-05-01", "2026-07-01"]}}', '14'],
  ['{createdAt: {greaterThan: "2026-01-02T10:00:00Z"}}', '34'],
  ['{createdAt: {lessThanOrEqualTo: "2026-01-02T11:00:00+01:00"}}', '12'],
  ['{updatedAt: {greaterThan: "2020-01-01T00:00:00Z"}}', '1234'],
  // Ids
  [`{rowId: {equalTo: "${id(4)}"}}`, '4'],
  [`{rowId: {in: ["${id(1)}", "${id(9)}"]}}`, '1'],
  [`{listId: {notEqualTo: "${id(1)}"}}`, '3'],
  ['{listId: {isNull: true}}', '4'],
  // Several at once
  ['{completed: {equalTo: false}, title: {includesInsensitive: "milk"}, priority: {greaterThan: 2}}', '3'],
  ['{and: [{completed: {equalTo: true}}, {priority: {lessThan: 2}}]}', '4'],
  ['{or: [{title: {equalTo: "Hedge"}}, {dueDate: {isNull: true}}]}', '23'],
  ['{not: {or: [{title: {equalTo: "Hedge"}}, {dueDate: {isNull: true}}]}}', '14'],
  ['{}', '1234'],
  ['{title: {}}', '1234'],
  ['{and: [], not: {}}', '1234'],
  // The list of a todo
  ['{list: {name: {equalTo: "Garden"}}}', '12'],
  ['{listExists: false}', '4'],
  ['{not: {list: {name: {equalTo: "Garden"}}}}', '34'],
  ['{list: {todos: {some: {priority: {equalTo: 3}}}}}', '12'],
])('todos(filter: %s)', async (filter, expected) => {
  expect(await find(filter)).toBe(expected);
});

test.each([
  ['{name: {includesInsensitive: "GARD"}}', '1'],
  ['{todos: {some: {completed: {equalTo: true}}}}', '1'],
  ['{todos: {none: {completed: {equalTo: true}}}}', '23'],
  ['{todos: {every: {priority: {greaterThan: 2}}}}', '23'],
  ['{todosExist: true}', '12'],
  ['{todosExist: false}', '3'],
  ['{createdAt: {greaterThan: "2026-01-15T00:00:00Z"}, todosExist: true}', '2'],
])('lists(filter: %s)', async (filter, expected) => {
  expect(await find(filter, 'lists')).toBe(expected);
});

test('a filter may come in a variable', async () => {
  const { body } = await ada.graphql('query ($f: TodoFilter) { todos(filter: $f) { nodes { title } } }', {
    f: { or: [{ priority: { greaterThan: 4 } }, { list: { name: { equalTo: 'nothing' } } }] },
  });
  expect(body.data.todos.nodes).toEqual([{ title: 'buttermilk' }]);
});

test('rows are ordered by several columns, in which nulls have a place', async () => {
  const order = async (by: string) => {
    const { body } = await ada.graphql(`{ todos(orderBy: ${by}) { nodes { rowId } } }`);
    return body.data.todos.nodes.map(({ rowId }: { rowId: string }) => rowId.at(-1)).join('');
  };
  expect(await order('[COMPLETED_ASC, PRIORITY_DESC]')).toBe('3124');
  expect(await order('[COMPLETED_DESC, PRIORITY_ASC]')).toBe('4213');
  expect(await order('[DUE_DATE_ASC]')).toBe('1243');
  expect(await order('[LIST_ID_ASC, CREATED_AT_DESC]')).toBe('2134');
});

test("a tenant's values lead another tenant only to rows of their own", async () => {
  for (const filter of [
    `{rowId: {equalTo: "${id(1)}"}}`,
    `{listId: {equalTo: "${id(1)}"}}`,
    '{list: {name: {equalTo: "Garden"}}}',
    '{list: {todos: {some: {priority: {equalTo: 3}}}}}',
    '{not: {title: {equalTo: "nothing"}}}',
    '{or: [{completed: {equalTo: true}}, {completed: {equalTo: false}}]}',
  ]) {
    const { body } = await bob.graphql(`{ todos(filter: ${filter}) { nodes { title user { username } } totalCount } }`);
    const { nodes, totalCount } = body.data.todos;
    expect(nodes.length).toBeGreaterThan(0);
    expect(totalCount).toBe(nodes.length);
    for (const { title, user } of nodes) expect([title.endsWith(' (bob)'), user.username]).toEqual([true, 'bob']);
  }
  expect(await find('{title: {equalTo: "Hedge"}}', 'todos', bob)).toBe('');
  expect(await find('{todos: {some: {title: {equalTo: "Hedge"}}}}', 'lists', bob)).toBe('');
});
