import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Rehearsal } from '../../dba/rehearse/rehearsal.ts';
import { openWorkbench, type Workbench } from '../support/verbs.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
  await bench.database.asAdmin(
    `with tenant as (insert into app_public.users (email, username) values ('ada@x.test', 'ada') returning id),
     list as (insert into app_public.lists (user_id, name) select id, 'x' from tenant)
     insert into app_public.todos (user_id, title) select id, 'x' from tenant, generate_series(1, 10000)`,
  );
  await bench.database.asAdmin('analyze app_public.todos');
});
afterAll(() => bench.remove());

const write = (sql: string) => writeFile(join(bench.checkout.directory, 'current.sql'), sql);
const rehearse = (...args: string[]) => bench.db('rehearse', '--disconnect', '--yes', '--no-attacks', ...args);
const branches = async () => JSON.parse((await bench.db('branch', 'list', '--json')).output).branches;

test('rehearse distinguishes a blocking migration from a harmless one, with the reason', async () => {
  await write(`alter table app_public.todos add column place uuid default gen_random_uuid();
    -- Holds the lock for longer than --max-block allows.
    select pg_sleep(0.5);
    update app_public.lists set name = name;
    alter table app_public.todos
      add constraint todos_place_fkey foreign key (user_id, place) references app_public.lists (user_id, id);
    alter table app_public.todos drop column due_date;
    alter table app_public.lists add column must int, add constraint must check (must is not null) not valid;`);
  const { code, output } = await rehearse('--json');
  expect(code).toBe(1);
  const { migrations, unkept, traffic, schema, findings }: Rehearsal = JSON.parse(output.split('\n')[0] as string);
  expect(migrations).toMatchObject([{ file: 'current.sql' }]);
  const [adds, sleeps, updates, refers, drops] = migrations[0]?.statements ?? [];
  expect(adds).toMatchObject({
    line: 1,
    rewritten: ['app_public.todos'],
    locks: [
      {
        table: 'app_public.todos',
        mode: 'ACCESS EXCLUSIVE',
        blocks: 'reads and writes',
        use: { rows: 10_000, busy: true },
        tooLong: true,
      },
    ],
    instead: expect.any(String),
  });
  const { longestRead = 0, longestWrite = 0 } = adds?.locks[0] ?? {};
  expect(longestRead + longestWrite).toBeGreaterThan(0);
  expect(sleeps?.locks).toEqual([]);
  expect(updates).toMatchObject({ line: 4, rows: 0, blind: true });
  // A stronger lock on todos is there already; lists is no busy table.
  expect(refers?.locks).toMatchObject([{ table: 'app_public.lists', blocks: 'writes', tooLong: false }]);
  expect(drops?.locks).toEqual([]);
  expect(unkept).toMatchObject([{ table: 'app_public.todos', name: 'todos_place_fkey' }]);
  const messages = traffic.broken.map(({ table, kind, message }) => `${table} ${kind}: ${message}`);
  expect(messages).toContain('app_public.todos read: column "due_date" does not exist');
  expect(messages).toContainEqual(expect.stringMatching(/^app_public.lists write: .*violates check constraint "must"/));
  expect(schema).toContain('  table app_public.todos owner hedgerow_owner, row level security enabled, forced');
  expect(schema).toContain('-   column due_date date');
  expect(schema).toContain('+   column place uuid default gen_random_uuid()');
  expect(findings.map(({ rule }) => rule)).toContain('foreign-key-without-index');

  expect(await branches()).toEqual([]);
  const [column] = await bench.database.asAdmin(
    "select from pg_attribute where attrelid = 'app_public.todos'::regclass and attname = 'place'",
  );
  expect(column).toBeUndefined();
}, 120_000);

test('rehearse finds statements of every kind whose rows are hidden from the owner', async () => {
  await write(`create table app_private.copies (title text);
    insert into app_private.copies select title from app_public.todos;
    delete from app_public.todos where title = 'x';
    merge into app_public.todos t using (values ('x')) v (title) on t.title = v.title when matched then delete;
    with gone as (delete from app_public.lists returning name) insert into app_private.copies select name from gone;
    do $$ begin update app_public.todos set title = 'y'; end $$;
    create function app_private.change() returns void language sql set search_path = ''
      begin atomic update app_public.lists set name = 'y'; end;
    select app_private.change();
    do $$ begin insert into app_private.copies values ('a'), ('b'); end $$;
    insert into app_private.copies select title from app_private.copies where title = 'none';
    update app_private.copies set title = 'c';
    drop function app_private.change();
    alter table app_public.todos no force row level security;
    update app_public.todos set title = 'z' where title = 'none';
    alter table app_public.todos force row level security;
    drop table app_private.copies;`);
  const { output } = await rehearse('--traffic', '0', '--json');
  const { migrations }: Rehearsal = JSON.parse(output.split('\n')[0] as string);
  expect(migrations[0]?.failure).toBeUndefined();
  const statements = (migrations[0]?.statements ?? []).map(({ line, rows, blindTables }) => ({
    line,
    rows,
    blindTables,
  }));
  expect(statements.filter(({ rows, blindTables }) => rows !== null || blindTables.length > 0)).toEqual([
    { line: 2, rows: 0, blindTables: ['app_public.todos'] },
    { line: 3, rows: 0, blindTables: ['app_public.todos'] },
    { line: 4, rows: 0, blindTables: ['app_public.todos'] },
    { line: 5, rows: 0, blindTables: ['app_public.lists'] },
    { line: 6, rows: null, blindTables: ['app_public.todos'] },
    { line: 9, rows: null, blindTables: ['app_public.lists'] },
    { line: 10, rows: 2, blindTables: [] },
    { line: 11, rows: 0, blindTables: [] },
    { line: 12, rows: 2, blindTables: [] },
    { line: 15, rows: 0, blindTables: [] },
  ]);
}, 120_000);

test('rehearse finds statements that copy from rows hidden from the owner', async () => {
  await write(`create table app_private.copies (title text);
    create table app_private.made as select title from app_public.todos;
    select title into app_private.chosen from app_public.todos where title <> '';
    create materialized view app_private.kept as select count(*) as n from app_public.todos;
    refresh materialized view app_private.kept;
    insert into app_private.copies select title from app_public.todos union select 'one';
    insert into app_private.copies values ((select max(title) from app_public.todos));
    do $$ declare r record; begin for r in select name from app_public.lists loop insert into app_private.copies values (r.name); end loop; end $$;
    update app_private.copies c set title = t.title from app_private.made m, app_public.todos t where t.title = m.title;
    delete from app_private.copies where title not in (select title from app_public.todos);
    create view app_private.seen as select title from app_public.todos;
    insert into app_private.copies select count(*) from app_private.seen;
    create function app_private.total() returns bigint language sql set search_path = '' return (select count(*) from app_public.lists);
    insert into app_private.copies select app_private.total();
    create sequence app_private.numbers;
    select setval('app_private.numbers', (select count(*) + 1 from app_public.todos));
    create temp table held as with found as (select * from app_public.todos) select title from found;
    create table app_private.refers (user_id uuid references app_public.users, n int generated always as (1) stored);
    create table app_private.plain as select 1 as n;
    insert into app_private.copies values ('from app_public.todos') /* from app_public.todos */;
    create materialized view app_private.later as select title from app_public.todos with no data;
    select count(*) from app_public.todos;
    alter table app_public.todos no force row level security;
    create table app_private.all_titles as select title from app_public.todos;
    alter table app_public.todos force row level security;`);
  const { output } = await rehearse('--traffic', '0', '--json');
  const { migrations }: Rehearsal = JSON.parse(output.split('\n')[0] as string);
  expect(migrations[0]?.failure).toBeUndefined();
  const found = (migrations[0]?.statements ?? []).flatMap(({ line, blindTables }) =>
    blindTables.length > 0 ? [`${line}: ${blindTables}`] : [],
  );
  const todos = [2, 3, 4, 5, 6, 7, 9, 10, 12, 16, 17].map((line) => `${line}: app_public.todos`);
  const lists = [8, 14].map((line) => `${line}: app_public.lists`);
  const byLine = (a: string, b: string) => Number.parseInt(a, 10) - Number.parseInt(b, 10);
  expect(found).toEqual([...todos, ...lists].sort(byLine));
}, 120_000);

test('placeholders of .gmrc are replaced, and an invalid current.sql is refused before a branch is created', async () => {
  const gmrc = JSON.parse(await readFile(bench.file('.gmrc'), 'utf8'));
  await writeFile(bench.file('.gmrc'), JSON.stringify({ ...gmrc, placeholders: { ':TABLE_NAME': 'rehearsed' } }));
  try {
    await write('create table app_private.:TABLE_NAME (a int);\n');
    const { output } = await rehearse('--traffic', '0', '--json');
    const { schema }: Rehearsal = JSON.parse(output.split('\n')[0] as string);
    expect(schema).toContain(
      '+ table app_private.rehearsed owner hedgerow_owner, row level security disabled, not forced',
    );
  } finally {
    await writeFile(bench.file('.gmrc'), JSON.stringify(gmrc));
  }
  await write('create table app_private.half (a int);\ncommit;\n');
  const { code, output } = await rehearse();
  expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining('current.sql:2: `commit` controls') });
  expect(output).not.toContain('Copying');
}, 120_000);

test('a failing migration is a finding with its line', async () => {
  await write('create table app_private.a ();\n\nselect 1 / 0;\n');
  const { code, output } = await rehearse();
  expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('✗ line 3: division by zero') });
  expect(output).toMatch(/Lint and attacks\n {2}not checked/);
  await write('create table app_private.a ();\ncommit;\n');
  expect(await rehearse()).toMatchObject({ code: 2, output: expect.stringContaining('controls the transaction') });
  expect(await branches()).toEqual([]);
}, 120_000);

test('a table with an open policy is attacked, and the leak is reported', async () => {
  await write(`create table app_public.notes (
      user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
      id uuid not null default gen_random_uuid(),
      body text not null,
      primary key (user_id, id)
    );
    alter table app_public.notes enable row level security, force row level security;
    create policy select_own on app_public.notes for select to hedgerow_tenant using (body is not null);
    grant select on app_public.notes to hedgerow_tenant;`);
  const { code, output } = await bench.db('rehearse', '--disconnect', '--yes', '--json');
  const { findings }: Rehearsal = JSON.parse(output.split('\n')[0] as string);
  const leaks = findings.filter(({ rule }) => rule === 'isolation');
  expect(leaks).toContainEqual({
    ...{ rule: 'isolation', level: 'error', object: 'app_public.notes', page: 'docs/tester.md' },
    detail: expect.stringMatching(/^select by scan: B saw what belongs to A/),
  });
  expect(leaks.every(({ object }) => object === 'app_public.notes')).toBe(true);
  expect(code).toBe(1);
}, 120_000);

test('an interrupted rehearsal drops its branch, and the next one drops that of a killed rehearsal', async () => {
  await write('select pg_sleep(60);');
  const killed = start();
  await until(killed, 'Applying');
  killed.kill('SIGKILL');
  await once(killed, 'close');
  expect(await branches()).toHaveLength(1);

  const interrupted = start();
  const words = await until(interrupted, 'Applying');
  interrupted.kill('SIGINT');
  expect(await once(interrupted, 'close')).toEqual([2, null]);
  expect(words()).toMatch(/^Dropping branch rehearsal-[\s\S]*interrupted, and its branch was dropped.\n$/);
  expect(await branches()).toEqual([]);
}, 120_000);

test('--promote refuses changes that were not rehearsed', async () => {
  await write('select 1;');
  const running = start('--promote');
  const words = await until(running, 'Inspecting');
  await write('create table app_private.unseen ();');
  expect(await once(running, 'close')).toEqual([2, null]);
  expect(words()).toContain('rehearse again');
}, 120_000);

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, ['dba/cli.ts', 'rehearse', '--disconnect', '--yes', '--no-attacks', ...args], {
    cwd: bench.checkout.directory,
    env: { PATH: process.env.PATH, ...bench.env },
  });
}

/** Waits for words on stderr; the answer tells all that came. */
async function until(child: ChildProcess, words: string): Promise<() => string> {
  let all = '';
  await new Promise<void>((resolve) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      all += text;
      if (all.includes(words)) resolve();
    });
  });
  return () => all;
}

test('a rehearsal without findings is promoted and writes a Markdown report', async () => {
  await write(
    '--! no-transaction\ncreate index concurrently if not exists todos_title_idx on app_public.todos (user_id, title);\n',
  );
  const file = join(bench.checkout.directory, 'report.md');
  const promoted = await rehearse('--promote', '--message', 'todos by title', '--markdown', file);
  expect(promoted).toMatchObject({ code: 0, output: expect.stringContaining('✓ ready') });
  expect(await readFile(file, 'utf8')).toMatch(
    /^### Rehearsal on a copy of [\s\S]*\n\+ {3}CREATE INDEX todos_title_idx/,
  );
  expect(await bench.db('status')).toMatchObject({ code: 0 });
  expect(await bench.database.asAdmin("select to_regclass('app_public.todos_title_idx') is not null as made")).toEqual([
    { made: true },
  ]);

  // A committed migration that is still pending is rehearsed too.
  await bench.database.asAdmin(`drop index app_public.todos_title_idx;
    delete from graphile_migrate.migrations where filename = (select max(filename) from graphile_migrate.migrations)`);
  const again = await rehearse('--promote');
  expect(again).toMatchObject({
    code: 0,
    output: expect.stringMatching(/migrations\/committed\/\d+-todos-by-title.sql/),
  });
  expect(await bench.db('status')).toMatchObject({ code: 0 });
  expect(await rehearse()).toMatchObject({ code: 2, output: expect.stringContaining('Nothing to rehearse') });
}, 120_000);

test('rehearse refuses and lists the other connections', async () => {
  await bench.database.asAdmin('select 1');
  expect(await bench.db('rehearse')).toMatchObject({ code: 2, output: expect.stringMatching(/pid \d+.* as postgres/) });
}, 120_000);
