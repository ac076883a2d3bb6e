import { readFile, writeFile } from 'node:fs/promises';
import { parseColumns } from '../../dba/newTable/columns.ts';
import { openWorkbench, type Workbench } from '../support/verbs.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(() => bench.remove());
const current = () => readFile(bench.file('current.sql'), 'utf8');
const blank = () => writeFile(bench.file('current.sql'), '-- nothing\n');
beforeEach(blank);

/** Runs new-table and then watch, whose findings are in the output. */
async function make(...args: string[]): Promise<string> {
  expect(await bench.db('new-table', ...args)).toMatchObject({ code: 0 });
  for (const time of ['first', 'second']) {
    // A blank current.sql between two runs has it applied again.
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

test('a table of organizations has their owner, and viewers write nothing', async () => {
  const refused = await bench.db('new-table', 'projects', '--columns', 'name text', '--owner', 'organization');
  expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('no table app_public.organizations') });
  await writeFile(
    bench.file('current.sql'),
    `drop table if exists app_public.projects;
drop table if exists app_public.organizations;
create table app_public.organizations (id uuid primary key);
create or replace function app_public.current_organization_id() returns uuid language sql stable
  return nullif(pg_catalog.current_setting('app.current_organization_id', true), '')::uuid;
`,
  );
  const args = ['projects', '--columns', 'name text not null', '--owner', 'organization', '--append'];
  expect(await bench.db('new-table', ...args)).toMatchObject({ code: 0 });
  const sql = await current();
  expect(sql).toContain('organization_id uuid not null default app_public.current_organization_id()');
  expect(sql).toContain("(select current_setting('app.current_member_role', true)) in ('owner', 'admin', 'member')");
  expect(sql).toContain('primary key (organization_id, id)');
  expect((await bench.db('watch', '--once')).output).not.toMatch(/ERROR|syntax/);
  const policies = await bench.database.asAdmin(
    "select from pg_policy where polrelid = 'app_public.projects'::regclass",
  );
  expect(policies).toHaveLength(4);
  await bench.database.asAdmin('drop table app_public.projects, app_public.organizations');
}, 120_000);

test('new-table overwrites nothing, and refuses names that are taken', async () => {
  await writeFile(bench.file('current.sql'), 'select 1;\n');
  expect(await bench.db('new-table', 'notes', '--columns', 'a text')).toMatchObject({ code: 2 });
  expect(await current()).toBe('select 1;\n');
  expect(await bench.db('new-table', 'notes', '--columns', 'a text', '--append')).toMatchObject({ code: 0 });
  expect(await current()).toMatch(/^select 1;\n\ndrop table if exists app_public\.notes;/);
  const again = await bench.db('new-table', 'notes', '--columns', 'a text', '--append');
  expect(again).toMatchObject({ code: 2, output: expect.stringContaining('app_public.notes is there already') });
  const taken = await bench.db('new-table', 'todos', '--columns', 'a text', '--append');
  expect(taken).toMatchObject({ code: 2, output: expect.stringContaining('app_public.todos is there already') });
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
  ['', /Name the columns/],
  ['title', /needs a type/],
  ['user_id uuid', /is there already/],
  ['Title text', /lower-case/],
  ['select text', /word of SQL/],
  ['a text; drop table users', /cannot be read/],
  ['a text) ; --', /cannot be read/],
  ['a text, a int', /named twice/],
  ['a uuid references lists', /app_public\.lists/],
  ['a int primary key', /cannot be the primary key/],
])('the columns %j are refused by the name of the mistake', (list, expected) => {
  expect(() => parseColumns(list)).toThrow(expected);
});
