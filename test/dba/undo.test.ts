import { readFile, writeFile } from 'node:fs/promises';
import { openWorkbench } from '../support/verbs.ts';

const workbench = await openWorkbench();
afterAll(() => workbench.remove());

const { db, file } = workbench;
const read = (...path: string[]) => readFile(file(...path), 'utf8');
const comments = () =>
  workbench.database.asAdmin(
    "select obj_description(objoid, 'pg_proc') as function, col_description(objoid, objsubid) as column from pg_description where description like 'undo:%'",
  );

async function commit(sql: string): Promise<void> {
  await writeFile(file('current.sql'), sql);
  const { code, output } = await db('commit', '-m', 'to be undone');
  expect({ code, output }).toEqual({ code: 0, output: expect.anything() });
}

/** Writes the reverse into current.sql, applies it twice and commits it. */
async function undone(code: 0 | 1): Promise<string> {
  const undo = await db('undo');
  expect(undo.output).toContain('It also applies to databases');
  expect(`${undo.code}\n${undo.output}`).toMatch(`${code}\n`);
  // Once, and at the commit again.
  const { code: watched, output } = await db('watch', '--once');
  expect({ watched, output }).toEqual({ watched: 0, output: expect.anything() });
  expect(await db('commit')).toMatchObject({ code: 0 });
  return undo.output;
}

const fixture = ['migrations', 'fixtures', 'functions', 'app_private.set_updated_at.sql'];

const changes = `
create table app_public.tags (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  primary key (user_id, id)
);
create table app_public.notes (user_id uuid, tag_id uuid, foreign key (user_id, tag_id) references app_public.tags);
alter table app_public.tags enable row level security, force row level security;
create policy select_own on app_public.tags for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (id, name) on app_public.tags to hedgerow_tenant;

alter table app_public.todos add column if not exists "due Time" timestamp with time zone default now();
grant update ("due Time") on app_public.todos to hedgerow_tenant;
revoke update (title), delete on app_public.todos from hedgerow_tenant;
alter table app_public.todos alter column priority set default 3, alter column title drop not null;
alter table app_public.todos drop constraint todos_priority_check,
  add constraint todos_priority_check check (priority between 0 and 9);
drop index app_public.todos_user_id_list_id_idx;
create index todos_title_idx on app_public.todos (user_id, title);
alter policy update_own on app_public.todos with check (true);
drop policy delete_own on app_public.todos;
drop trigger set_updated_at on app_public.todos;
alter table app_public.lists no force row level security;

create function app_public.shout(words text) returns text language sql immutable return upper(words);
grant execute on function app_public.shout(text) to hedgerow_tenant;
drop function app_public.search_todos(text);
create function app_public.search_todos(query text) returns int language sql stable return 1;
comment on function app_public.search_todos(text) is 'undo: another one';
comment on column app_public.todos.title is 'undo: a comment';
drop view app_public.audit_events;
create view app_public.audit_events with (security_invoker = true) as select id from app_private.audit_log;
create schema app_more;
create type app_more.color as enum ('red');
create aggregate app_more.total (int) (sfunc = int4pl, stype = int, initcond = 0);
create operator app_more.=== (leftarg = int, rightarg = int, function = int4eq);
create cast (text as app_more.color) with inout as assignment;
create extension citext with schema app_more;
alter table app_public.lists replica identity full;
grant select on app_public.lists to hedgerow_auth with grant option;
create domain app_more.short as text check (char_length(value) < 9);
`;

test('undo restores what the last migration created, changed and dropped, with fixtures, grants and comments', async () => {
  const [snapshot, function_, before] = [
    await read('migrations', 'snapshot.txt'),
    await read(...fixture),
    await allComments(),
  ];
  await writeFile(file(...fixture), function_.replace('pg_catalog.now()', 'pg_catalog.clock_timestamp()'));
  await commit(`${changes}\n--! include functions/app_private.set_updated_at.sql\n`);
  expect(await read('migrations', 'snapshot.txt')).not.toBe(snapshot);
  expect(await comments()).toHaveLength(2);

  await undone(0);
  expect(await read('migrations', 'snapshot.txt')).toBe(snapshot);
  expect(await read(...fixture)).toBe(function_);
  expect(await allComments()).toEqual(before);
  expect(await db('status')).toMatchObject({ code: 0 });
}, 120_000);

/** Every comment on an object of ours, by what it is on. */
function allComments() {
  return workbench.database.asAdmin(
    `select i.type, i.identity, d.description from pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
     where i.identity ~ 'app_' order by 1, 2`,
  );
}

test('undo restores a dropped column empty, with its grants, constraints, indexes and comments', async () => {
  await commit(`alter table app_private.audit_log
      add column note text collate "C" not null default 'none',
      add column source inet not null,
      add column length int generated always as (char_length(event)) stored,
      add constraint audit_log_note_check check (note <> '');
    create index audit_log_note_idx on app_private.audit_log (note);
    grant insert (note) on app_private.audit_log to hedgerow_auth;
    create table app_private.ruled (a int);
    alter table app_private.ruled enable row level security, force row level security;
    create rule quiet as on delete to app_private.ruled where a = 1 do instead nothing;
    comment on column app_private.audit_log.note is 'undo: empty';\n`);
  const before = await read('migrations', 'snapshot.txt');
  await commit(`alter table app_private.audit_log drop column note, drop column source, drop column length;
    alter table app_public.todos drop column due_date, add column due int;
    drop rule quiet on app_private.ruled;\n`);
  const output = await undone(1);
  expect(output).toContain('column app_public.todos.due_date (date) was dropped with its values: it comes back empty');
  expect(output).toContain('column app_private.audit_log.source was not null: fill it, then set not null');
  expect(await read('migrations', 'snapshot.txt')).toBe(
    before.replace('column source inet not null', 'column source inet'),
  );
}, 120_000);

test('uncommit and rebase refuse production', async () => {
  const env = { ...workbench.env, NODE_ENV: 'production' };
  for (const verb of ['uncommit', 'rebase']) {
    expect(await workbench.checkout.run('dba/cli.ts', [verb], env)).toMatchObject({ code: 2 });
  }
});
