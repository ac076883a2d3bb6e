import { Writable } from 'node:stream';
import { createLog } from '../../../server/http/log.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let ada: Tenant;
let log = '';

/** A tenants' table as a DBA would add it, with the sentences beside its constraints. */
const plots = `
  create domain app_public.grams as int constraint grams_positive check (value > 0);
  comment on constraint grams_positive on domain app_public.grams is 'a weight must be more than 0';
  create table app_public.plots (
    user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
    id uuid not null default gen_random_uuid(),
    row_label varchar(5) not null,
    width int constraint plots_width check (width > 0),
    height int check (height > 0),
    seeds app_public.grams,
    parent_plot_id uuid,
    primary key (user_id, id),
    constraint plots_label unique (user_id, row_label),
    constraint plots_size unique (user_id, width, height),
    constraint plots_parent foreign key (user_id, parent_plot_id) references app_public.plots (user_id, id)
  );
  comment on constraint plots_width on app_public.plots is 'width must be more than 0';
  comment on constraint plots_label on app_public.plots is 'there is a plot with this label already';
  comment on constraint plots_size on app_public.plots is E'@anything\\nthere is a plot of this size already';
  alter table app_public.plots enable row level security, force row level security;
  create policy select_own on app_public.plots for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
  create policy insert_own on app_public.plots for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
  create policy update_own on app_public.plots for update to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
  grant select, insert (id, row_label, width, height, seeds, parent_plot_id), update (row_label) on app_public.plots to hedgerow_tenant;
  create table app_public.sheds (
    user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
    id uuid primary key default gen_random_uuid(),
    plot_id uuid not null
  );
  alter table app_public.sheds enable row level security, force row level security;
  create policy select_own on app_public.sheds for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
  create policy insert_on_plot on app_public.sheds for insert to hedgerow_tenant
    with check (user_id = (select app_public.current_user_id()) and exists (select from app_public.plots where plots.id = plot_id));
  grant select, insert (plot_id) on app_public.sheds to hedgerow_tenant;
  create table app_public.deeds (id int primary key);
  create function app_public.deeds_count() returns bigint language sql stable as $$ select count(*) from app_public.deeds $$;
  grant execute on function app_public.deeds_count to hedgerow_tenant;
  create function app_public.fail(state text) returns int language plpgsql stable as
    $$ begin raise exception 'canary' using errcode = state; end $$;
  grant execute on function app_public.fail to hedgerow_tenant;
  create function app_public.dawdle() returns int language plpgsql stable as $$ begin perform pg_sleep(9); return 1; end $$;
  grant execute on function app_public.dawdle to hedgerow_tenant`;

beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(plots);
  const written = new Writable({
    write(chunk, _encoding, done) {
      log += chunk;
      done();
    },
  });
  server = await serve(db, { requestTimeout: 1, log: createLog('info', written) });
  ada = await signUp(server.app, 'ada');
});
afterAll(async () => {
  await server.close();
  await db.drop();
});

async function errorsOf(document: string, variables: Record<string, unknown> = {}) {
  const { body } = await ada.graphql(document, variables);
  return body.errors?.map(({ message, extensions }: { message: string; extensions: object }) => ({
    message,
    ...extensions,
  }));
}

const todo = (input: object) =>
  errorsOf('mutation ($i: TodoInput!) { createTodo(input: {todo: $i}) { todo { rowId } } }', { i: input });
const list = (input: object) =>
  errorsOf('mutation ($i: ListInput!) { createList(input: {list: $i}) { list { rowId } } }', { i: input });
const plot = (input: object) =>
  errorsOf('mutation ($i: PlotInput!) { createPlot(input: {plot: $i}) { plot { rowId } } }', { i: input });
const nowhere = '00000000-0000-4000-8000-000000000000';
const input = (message: string, field?: string) => [{ message, code: 'BAD_USER_INPUT', ...(field && { field }) }];
const conflict = (message: string, field?: string) => [{ message, code: 'CONFLICT', ...(field && { field }) }];

test('a value that a constraint refuses is answered with its sentence and field', async () => {
  expect(await todo({ title: '' })).toEqual(input('title must have 1 to 255 characters', 'title'));
  expect(await todo({ title: 'é'.repeat(256) })).toEqual(input('title must have 1 to 255 characters', 'title'));
  expect(await todo({ title: 'x', description: 'x'.repeat(10_001) })).toEqual(
    input('description must have at most 10000 characters', 'description'),
  );
  for (const priority of [-1, 6]) {
    expect(await todo({ title: 'x', priority })).toEqual(input('priority must be a number from 0 to 5', 'priority'));
  }
  expect(await todo({ title: 'x', listId: nowhere })).toEqual(input('listId must name a list of yours', 'listId'));
  expect(await list({ name: '' })).toEqual(input('name must have 1 to 255 characters', 'name'));
  expect(await list({ name: 'once' })).toBeUndefined();
  expect(await list({ name: 'once' })).toEqual(conflict('there is a list with this name already', 'name'));
  expect(await list({ rowId: nowhere, name: 'here' })).toBeUndefined();
  expect(await list({ rowId: nowhere, name: 'twice' })).toEqual(
    conflict('there is a list with this rowId already', 'rowId'),
  );
});

test('every constraint of the API has a sentence', async () => {
  const rows = await db.asAdmin(
    `select conname from pg_constraint
    where conrelid in ('app_public.users'::regclass, 'app_public.lists'::regclass, 'app_public.todos'::regclass)
      and contype in ('c', 'u', 'f', 'p') and obj_description(oid, 'pg_constraint') is null`,
  );
  expect(rows).toEqual([]);
});

test("a new table's constraints need no more than their comments", async () => {
  expect(await plot({ rowLabel: 'a', width: 1, height: 1 })).toBeUndefined();
  expect(await plot({ rowLabel: 'b', width: 0 })).toEqual(input('width must be more than 0', 'width'));
  expect(await plot({ rowLabel: 'a' })).toEqual(conflict('there is a plot with this label already', 'rowLabel'));
  expect(await plot({ rowLabel: 'b', width: 1, height: 1 })).toEqual(conflict('there is a plot of this size already'));
  expect(await plot({ rowLabel: 'c', seeds: 0 })).toEqual(input('a weight must be more than 0'));
});

test('a constraint without a comment has a general message', async () => {
  expect(await plot({ rowLabel: 'd', height: 0 })).toEqual(input('height must not have this value', 'height'));
  expect(await plot({ rowLabel: 'd', parentPlotId: nowhere })).toEqual(
    input('parentPlotId must name a row of yours', 'parentPlotId'),
  );
  expect(await plot({ rowLabel: 'too long' })).toEqual(input('A value is not valid for its type.'));
  expect(
    await errorsOf(
      `mutation ($id: UUID!) { updateTodo(input: {rowId: $id, patch: {title: null}}) { todo { rowId } } }`,
      {
        id: (await ada.graphql('mutation { createTodo(input: {todo: {title: "x"}}) { todo { rowId } } }')).body.data
          .createTodo.todo.rowId,
      },
    ),
  ).toEqual(input('title must not be null', 'title'));
});

test('what a policy refuses is answered as a row that is not there, and fills no log', async () => {
  const bob = await signUp(server.app, 'bob');
  const { body } = await bob.graphql('mutation { createPlot(input: {plot: {rowLabel: "bob"}}) { plot { rowId } } }');
  const shed = (plotId: string) =>
    ada.graphql('mutation ($p: UUID!) { createShed(input: {shed: {plotId: $p}}) { shed { rowId } } }', { p: plotId });
  const before = log.split('a GraphQL field failed').length;
  const [ofBob, ofNobody] = [await shed(body.data.createPlot.plot.rowId), await shed(nowhere)];
  expect(ofBob.text).toBe(ofNobody.text);
  expect(ofNobody.body.errors).toMatchObject([
    {
      message: 'a value is not allowed, or does not name a row of yours',
      extensions: { code: 'BAD_USER_INPUT' },
    },
  ]);
  expect(log.split('a GraphQL field failed').length).toBe(before);
  // A grant that is missing is for anyone who runs the server.
  expect(await errorsOf('{ deedsCount }')).toMatchObject([{ code: 'INTERNAL' }]);
  expect(log.split('a GraphQL field failed').length).toBe(before + 1);
});

test('a comment on a foreign key does not become the description of what it leads to', () => {
  expect(server.graphqlSchema.getType('Todo')).toHaveProperty(
    '_fields.list.description',
    expect.stringMatching(/related/),
  );
});

test.each([
  ['{ fail(state: "22003") }', 'BAD_USER_INPUT'],
  ['{ fail(state: "428C9") }', 'BAD_USER_INPUT'],
  ['{ fail(state: "44000") }', 'BAD_USER_INPUT'],
  ['{ fail(state: "40001") }', 'CONFLICT'],
  ['{ fail(state: "23001") }', 'CONFLICT'],
  ['{ fail(state: "54023") }', 'TOO_COMPLEX'],
  // The stack is full of functions, which no document is.
  ['{ fail(state: "54001") }', 'INTERNAL'],
  ['{ todos(first: 1001) { totalCount } }', 'TOO_COMPLEX'],
  ['{ fail(state: "55P03") }', 'TIMEOUT'],
  ['{ fail(state: "57014") }', 'TIMEOUT'],
  ['{ dawdle }', 'TIMEOUT'],
  [`mutation { deleteTodo(input: {rowId: "${nowhere}"}) { deletedTodoId } }`, 'NOT_FOUND'],
  ['{ fail(state: "XX000") }', 'INTERNAL'],
  ['{ todos(filter: {title: {equalTo: null}}) { totalCount } }', 'BAD_USER_INPUT'],
  ['{ todos(filter: {not: null}) { totalCount } }', 'BAD_USER_INPUT'],
])('%s is answered with %s', async (document, code) => {
  const { text, body } = await ada.graphql(document);
  expect(body.errors).toMatchObject([{ message: expect.stringMatching(/^\w.*/), extensions: { code } }]);
  expect(text).not.toMatch(/canary|select|exception|\bsql\b/i);
});

test('a server fault is logged under the id that the client gets', async () => {
  const [error] = await errorsOf('{ fail(state: "XX000") }');
  expect(error).toEqual({ message: 'Something went wrong on our side.', code: 'INTERNAL', id: expect.any(String) });
  expect(log).toContain(error.id);
  expect(log).not.toContain('canary');
});

test('what is wrong with a document is said without spelling out the schema, and without repeating what was sent', async () => {
  const wrong: [string, Record<string, unknown>, RegExp][] = [
    ['{ todo { titel } }', {}, /^Field "todo" argument "rowId"|^Cannot query field "titel" on type "Todo"\.$/],
    ['query ($t: TodoInput!) { __typename }', { t: { titel: 'x' } }, /^Variable "\$t" is never used|titel|title/],
    [
      'mutation ($t: TodoInput!) { createTodo(input: {todo: $t}) { todo { rowId } } }',
      { t: { titel: 'x' } },
      /title|titel/,
    ],
    [
      'query ($n: Int) { todos(first: $n) { totalCount } }',
      { n: 'y'.repeat(50_000) },
      /^Int cannot represent non-integer/,
    ],
  ];
  for (const [document, variables, expected] of wrong) {
    const errors = await errorsOf(document, variables);
    expect(errors.length).toBeGreaterThan(0);
    for (const { message, code } of errors) {
      expect(message).toMatch(expected);
      expect(message).not.toMatch(/Did you mean/);
      expect(message.length).toBeLessThan(350);
      expect(code).toBe('BAD_USER_INPUT');
    }
  }
});
