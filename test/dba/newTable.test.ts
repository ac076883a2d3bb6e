import { readFile, writeFile } from 'node:fs/promises';
import { parseColumns } from '../../dba/newTable/columns.ts';
import { withClient } from '../../postgres/withClient.ts';
import { openWorkbench, type Workbench } from '../support/verbs.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(() => bench.remove());
const current = () => readFile(bench.file('current.sql'), 'utf8');
const blank = () => writeFile(bench.file('current.sql'), '-- nothing\n');
beforeEach(blank);

/** Runs new-table, then applies and lints current.sql twice with watch. */
async function make(...args: string[]): Promise<string> {
  expect(await bench.db('new-table', ...args)).toMatchObject({ code: 0 });
  for (const time of ['first', 'second']) {
    // Without its record, current.sql is applied again.
    const watched = await bench.db('watch', '--once');
    expect({ time, ...watched }).toEqual({ time, code: 0, output: expect.stringContaining('0 errors') });
    await bench.database.asAdmin('delete from graphile_migrate.current');
  }
  return current();
}

test('a table with every option passes the linter, and its constraints lead with the owner', async () => {
  const sql = await make(
    'notes',
    '--columns',
    "title text not null check (char_length(title) between 1 and 100), body text, kind text not null default 'a, (b', due date, slug text unique, list_id uuid references app_public.lists, todo_id uuid not null references app_public.todos (id) on delete cascade, length int generated always as (char_length(title)) stored",
    '--live',
    '--search',
  );
  expect(sql).toContain('grant select, insert (id, title, body, kind, due, slug, list_id, todo_id), update (title,');
  expect(sql).toContain(
    "comment on constraint notes_user_id_list_id_fkey on app_public.notes is 'listId must name a list of yours'",
  );
  const [ada] = await bench.database.asAdmin<{ id: string }>(
    "insert into app_public.users (email, username) values ('ada@x.test', 'ada'), ('bob@x.test', 'bob') returning id",
  );
  const rows = await bench.database.asAdmin<{ found: number }>(
    `with todo as (insert into app_public.todos (user_id, title) values ('${ada?.id}', 't') returning id)
     insert into app_public.notes (user_id, title, todo_id) select '${ada?.id}', 'water the hedge', id from todo returning length`,
  );
  expect(rows).toEqual([{ length: 15 }]);
  const constraints = await bench.database.asAdmin<{ d: string }>(
    "select pg_get_constraintdef(oid) as d from pg_constraint where conrelid = 'app_public.notes'::regclass and contype in ('u', 'f', 'p') order by 1",
  );
  expect(constraints.map(({ d }) => d)).toEqual([
    'FOREIGN KEY (user_id) REFERENCES app_public.users(id) ON DELETE CASCADE',
    'FOREIGN KEY (user_id, list_id) REFERENCES app_public.lists(user_id, id) ON DELETE SET NULL (list_id)',
    'FOREIGN KEY (user_id, todo_id) REFERENCES app_public.todos(user_id, id) ON DELETE CASCADE',
    'PRIMARY KEY (user_id, id)',
    'UNIQUE (user_id, slug)',
  ]);
  const found = await bench.database.asAdmin('select title from app_public.search_notes($1)', ['hedge']);
  expect(found).toEqual([{ title: 'water the hedge' }]);
  await bench.database.asAdmin('drop function app_public.search_notes(text)');
  await bench.database.asAdmin('drop table app_public.notes');
}, 120_000);

test('the policies of an organization table exclude viewers from writing', async () => {
  await writeFile(bench.file('current.sql'), '');
  const args = ['notices', '--columns', 'name text not null', '--owner', 'organization', '--append'];
  expect(await bench.db('new-table', ...args)).toMatchObject({ code: 0 });
  const sql = await current();
  expect(sql).toContain('organization_id uuid not null default app_public.current_organization_id()');
  expect(sql).toContain("(select app_public.current_member_role()) in ('owner', 'admin', 'member')");
  expect(sql).toContain('primary key (organization_id, id)');
  expect((await bench.db('watch', '--once')).output).toMatch(/✓ 0 errors, 0 warnings/);
  const policies = await bench.database.asAdmin(
    "select from pg_policy where polrelid = 'app_public.notices'::regclass",
  );
  expect(policies).toHaveLength(4);
  await bench.database.asAdmin('drop table app_public.notices');
}, 120_000);

test('new-table overwrites nothing and refuses names that are taken', async () => {
  await writeFile(bench.file('current.sql'), 'select 1;\n');
  expect(await bench.db('new-table', 'notes', '--columns', 'a text')).toMatchObject({ code: 2 });
  expect(await current()).toBe('select 1;\n');
  expect(await bench.db('new-table', 'notes', '--columns', 'a text', '--append')).toMatchObject({ code: 0 });
  expect(await current()).toMatch(/^select 1;\n\ndrop table if exists app_public\.notes;/);
  const again = await bench.db('new-table', 'notes', '--columns', 'a text', '--append');
  expect(again).toMatchObject({ code: 2, output: expect.stringContaining('app_public.notes exists already') });
  const taken = await bench.db('new-table', 'todos', '--columns', 'a text', '--append');
  expect(taken).toMatchObject({ code: 2, output: expect.stringContaining('app_public.todos exists already') });
  for (const args of [
    ['Notes', '--columns', 'a text'],
    ['order', '--columns', 'a text'],
    ['x', '--columns', 'a int', '--search'],
  ]) {
    expect(await bench.db('new-table', ...args, '--append')).toMatchObject({ code: 2 });
  }
  expect(await bench.db('new-table', 'x')).toMatchObject({ code: 2, output: expect.stringContaining('--columns') });
  expect(await bench.db('new-table', '--help')).toMatchObject({ code: 0, output: expect.stringContaining('--owner') });
}, 300_000);

test.each([
  ['', /--columns is empty/],
  ['title', /needs a type/],
  ['user_id uuid', /adds the column user_id itself/],
  ['Title text', /lower-case/],
  ['"Due Date" date', /lower-case/],
  ['a_1 int, a1 int', /same name in the API, a1/],
  ['list text, list_id uuid references app_public.lists', /the field of the row that list_id refers to/],
  ['row_id uuid', /every type of the API has a field rowId/],
  ['xmin int', /system column xmin/],
  ['n bigserial', /cannot use a sequence/],
  ['n int generated by default as identity', /cannot use a sequence/],
  ["a text default 'b", /Check its quotes/],
  ['a text default $$b', /Check its quotes/],
  ['a text /* b', /Check its quotes/],
  ['a uuid references app_public.lists match full', /cannot have match/],
  ['a uuid references app_public.lists on update set null', /would clear the owner column/],
  ['a text unique with (fillfactor = 70)', /unique with/],
  ['a text unique unique', /unique twice/],
  ['unique', /reserved word/],
  ['select text', /reserved word/],
  ['a text; drop table users', /cannot be parsed/],
  ['a text) ; --', /cannot be parsed/],
  ['a text)', /cannot be parsed/],
  ['a text, a int', /named twice/],
  ['a uuid references lists', /app_public\.lists/],
  ['a int primary key', /cannot be the primary key/],
])('new-table names the mistake in the columns %j', (list, expected) => {
  expect(() => parseColumns(list)).toThrow(expected);
});

test.each([
  ["a text default 'unique'", "text default 'unique'"],
  ["a text default 'references app_public.lists'", "text default 'references app_public.lists'"],
  ["a text default 'two  spaces\n'", "text default 'two  spaces\n'"],
  ["a text default $q$it's, unique$q$ unique", "text default 'it''s, unique'"],
  ["a text default 'a\\'", "text default E'a\\\\'"],
  ["a text default text'a\\'", "text default text E'a\\\\'"],
  ["a text default U&'\\0041'", "text default U&'\\0041'"],
  ['a text default $$"$$', `text default '"'`],
  ["a text default E'\\', unique' not null", "text default E'\\', unique' not null"],
  ["a text[] default array['x,y', 'primary key']", "text[] default array['x,y', 'primary key']"],
  ['a text -- unique, b int\n not null', 'text not null'],
  ["a text check (a is not null and a <> 'not null')", "text check (a is not null and a <> 'not null')"],
  ['a text constraint first unique check (a > 1)', 'text check (a > 1)'],
  ['a uuid references app_public.lists on delete set null (a) on update cascade not null', 'uuid not null'],
])('the definition in %j keeps its literals and constraints', (list, expected) => {
  const columns = parseColumns(list);
  expect(columns.map(({ text }) => text)).toEqual([expected]);
  expect(columns[0]?.isRequired).toBe(/ not null$/.test(expected));
});

test.each([
  ['a uuid references app_public.users', /cannot refer to app_public\.users: .* Leave it out: user_id already refers/],
  ['a uuid references app_public.users (id) on delete cascade', /cannot refer to app_public\.users/],
  ['a uuid references app_public.todos (title)', /no key \(user_id, title\)/],
  ['a uuid references app_public.audit_events', /no such table/],
  ['a uuid references app_public.nothing', /no such table/],
  ['a uuid references app_public."Lists"', /no such table/],
  ['a uuid references app_public.lists (user_id, id)', /several columns/],
])('new-table refuses a foreign key that reveals rows of other tenants: %s', async (columns, expected) => {
  expect(await bench.db('new-table', 'notes', '--columns', columns)).toMatchObject({
    code: 2,
    output: expect.stringMatching(expected),
  });
});

test.each([
  ['a search of arrays alone', ['notes', '--columns', 'tags text[]', '--search'], /Arrays .* are not searched/],
  ['a search of another array', ['notes', '--columns', 'tags varchar(9) array', '--search'], /Arrays/],
  ['a table with the name of an API field', ['nodes', '--columns', 'a text'], /already has a type or field/],
  ['a table with the name of an API type', ['boxes', '--columns', 'a text'], /already has a type or field/],
  [
    'a table with the API type of another table',
    ['list', '--columns', 'a text'],
    /app_public\.lists has the same name/,
  ],
  ['a table with the name of a view', ['audit_events', '--columns', 'a text'], /app_public\.audit_events/],
])('%s is refused', async (_what, args, expected) => {
  expect(await bench.db('new-table', ...args)).toMatchObject({ code: 2, output: expect.stringMatching(expected) });
});

test('a table with long names, literals, arrays and generated columns applies and separates two tenants', async () => {
  const name = 'measurements_of_the_hedges_along_the_northern_lane';
  const long = 'height_above_the_ground_of_the_highest_branch';
  const sql = await make(
    name,
    '--columns',
    `title text not null default 'unique, "references" x', ${long}_a text unique, ${long}_b text constraint "Mine" unique nulls not distinct,
     ${long}_c uuid references app_public.lists on delete set null on update cascade, ${long}_d uuid unique references app_public.todos deferrable initially deferred,
     list_name text references app_public.lists (name), parent_id uuid references app_public.${name},
     tags text[] not null default array['a,b', $$it's$$, '\\'] check (cardinality(tags) between 1 and 9 and tags <> array['(']),
     wanted text check (wanted is not null or title <> ','), shout text generated always as (upper(title)) stored, values int, list_id uuid references app_public.lists`,
    '--live',
    '--search',
  );
  expect(sql).toContain("search tsvector generated always as (setweight(app_search.words(title), 'A') ||");
  expect(sql).toContain(`comment on constraint "Mine" on app_public.${name}`);
  expect((await bench.db('lint')).output).toContain('0 errors');
  const table = `app_public.${name}`;
  const [ada, bob] = await bench.database.asAdmin<{ id: string }>(
    "insert into app_public.users (email, username) values ('eve@x.test', 'eve'), ('kim@x.test', 'kim') returning id",
  );
  const as = (user: { id: string } | undefined, text: string) =>
    withClient(bench.database.adminUrl, async (client) => {
      await client.query("select set_config('app.current_user_id', $1, false)", [user?.id]);
      await client.query('set role hedgerow_tenant');
      return (await client.query(text)).rows;
    });
  const [list] = await as(ada, "insert into app_public.lists (name) values ('mine') returning id");
  const insert = `insert into ${table} (title, ${long}_b, list_name, ${long}_a, ${long}_c) values ('water the hedge', gen_random_uuid()`;
  const inserted = await as(ada, `${insert}, 'mine', 'x', '${list.id}') returning tags, shout`);
  expect(inserted).toEqual([{ tags: ['a,b', "it's", '\\'], shout: 'WATER THE HEDGE' }]);
  expect(await as(ada, `insert into ${table} (${long}_b) values ('y') returning title`)).toEqual([
    { title: 'unique, "references" x' },
  ]);
  // The keys of one tenant do not reveal their values to another.
  expect(await as(bob, `${insert}, null, 'x', null) returning ${long}_c`)).toHaveLength(1);
  await expect(as(bob, `${insert}, null, 'z', '${list.id}')`)).rejects.toMatchObject({ code: '23503' });
  await expect(as(bob, `${insert}, 'mine', 'z', null)`)).rejects.toMatchObject({ code: '23503' });
  for (const [user, count] of [
    [ada, 2],
    [bob, 1],
  ] as const) {
    expect(await as(user, `select from ${table}`)).toHaveLength(count);
    expect(await as(user, `select from app_public.search_${name}('hedge')`)).toHaveLength(1);
  }
  expect(await as(bob, `update ${table} set title = 'b' where ${long}_b = 'y' returning id`)).toEqual([]);
  expect(await as(bob, `delete from ${table} where user_id = '${ada?.id}' returning id`)).toEqual([]);
  const commented = await bench.database.asAdmin(
    `select conname from pg_constraint where conrelid = '${table}'::regclass and contype in ('u', 'f')
     and obj_description(oid, 'pg_constraint') is null`,
  );
  expect(commented).toHaveLength(1);
  await bench.database.asAdmin(`drop table ${table} cascade`);
}, 300_000);
