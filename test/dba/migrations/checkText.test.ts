import { committedProblems, encodingProblems, textProblems } from '../../../dba/migrations/checkText.ts';

/** The problems of a migration's text, as watch, commit, lint and rehearse find them. */
const problems = (sql: string) => textProblems('current.sql', sql, 'pg_catalog');

describe('a statement that controls the transaction is refused', () => {
  test.each([
    'begin',
    'BEGIN TRANSACTION',
    'start transaction',
    'commit',
    'COMMIT AND CHAIN',
    'end',
    'abort',
    'rollback',
    'savepoint a',
    'rollback to savepoint a',
    'release savepoint a',
    "prepare transaction 'x'",
    "commit prepared 'x'",
    'do $$ begin insert into app_public.t values (1); commit; end $$',
    "do 'begin if true then rollback; end if; end'",
    '/* -- */ commit /* ; */',
    "do E'begin\\ncommit; end'",
    "do e'begin \\x63ommit; end'",
    "do language 'plpgsql' 'begin commit; end'",
    'do $$ begin <<a>> commit; end $$',
    'do $$ begin <<"a b">>\n/* x */ rollback; end $$',
    'do $$ <<a>> begin commit; end $$',
  ])('%s', (sql) => {
    expect(problems(`select 1;\n${sql};\n`)).toEqual([
      expect.stringMatching(/^current\.sql:2: .*(transaction|commit)/),
    ]);
    expect(committedProblems('000009.sql', `select 1;\n${sql};\n`)).toHaveLength(1);
  });
});

describe('a setting that outlives its migration is refused', () => {
  test.each([
    ['set lock_timeout = 0', 'set local lock_timeout = 0'],
    ['SET SESSION statement_timeout TO 0', 'set local statement_timeout TO 0'],
    ['set role hedgerow_tenant', 'set local role'],
    ['set session authorization postgres', 'set local session authorization postgres'],
    ["set time zone 'UTC'", "set local time zone 'UTC'"],
    ['set session characteristics as transaction read only', 'remove it'],
    ['reset all', 'remove it'],
    ['discard all', 'remove it'],
    ["select set_config('lock_timeout', '0', false)", 'true as its third'],
    ["select pg_catalog.set_config('a.b', lower('X, y'), 'f')", 'true as its third'],
    ["select set_config(setting_name => 'a.b', new_value => '', is_local => false)", 'true as its third'],
    ["do $$ begin perform set_config('a.b', '', false); end $$", 'true as its third'],
    ['do $$ begin set lock_timeout = 0; end $$', 'write `set local`'],
    ['set lock_timeout := 0', 'set local lock_timeout := 0'],
    ["select set_config('a.b', f(g(h(1, ')'))), false)", 'true as its third'],
    ["select set_config('a.b', 'c', (false))", 'true as its third'],
    ["select set_config('a.b', 'c', ((false))::boolean)", 'true as its third'],
    ["select set_config('a.b', 'c', cast('off' as bool))", 'true as its third'],
    ["select set_config('a.b', 'c', is_local := false)", 'true as its third'],
    ["select set_config('a.b', 'c', not true)", 'true as its third'],
    ["select set_config('a.b', array['x, y'][1], /* no, */ false)", 'true as its third'],
    ["select set_config('a.b', 'c', true), set_config('d.e', 'f', false)", 'true as its third'],
    ["create table app_private.t as select set_config('a.b', 'c', false)", 'true as its third'],
    ["do E'begin\\nset lock_timeout = 0; end'", 'write `set local`'],
    ['do $$ begin <<a>> set lock_timeout = 0; end $$', 'write `set local`'],
    ["do $$ declare x text; begin x := set_config('a.b', (select f(g(1))), (false)); end $$", 'true as its third'],
    [`select "set_config"('a.b', 'x', false)`, 'true as its third'],
    [`select pg_catalog . U&"set\\005Fconfig" ('a.b', 'x', false)`, 'true as its third'],
    ["create table app_private.t (x text default set_config('a.b', 'x', false))", 'true as its third'],
    ["create domain app_private.d as text default set_config('a.b', 'x', false)", 'true as its third'],
    ["create table app_private.t (x text default ' as select' || set_config('a.b', 'x', false))", 'true as its third'],
    ["update pg_catalog.pg_settings set setting = '0' where name = 'lock_timeout'", 'remove it'],
    ["do $$ begin execute 'set search_path = public'; end $$", 'write `set local search_path = public`'],
    ["do $$ begin execute $x$set role $x$ || quote_ident('a'); end $$", 'set local role'],
    ["do $$ begin execute (format('set %I = %L', 'lock_timeout', '0')); end $$", 'write `set local '],
    [
      "do $$ begin if true then execute E'select set_config(''a.b'', ''x'', false)'; end if; end $$",
      'true as its third',
    ],
    ["do $$ begin execute 'set lock_timeout' || ' = ' || '0' using 1; end $$", 'set local lock_timeout = 0'],
    ['do $$ declare set int; begin set := 1; set lock_timeout = 0; end $$', 'write `set local`'],
    [
      'do $$ begin x := case when a then 1 else 2 end; case x when 1 then reset all; end case; end $$',
      'write `set local`',
    ],
    ["do $$ begin update pg_settings set setting = '0'; end $$", 'write `set local`'],
  ])('%s', (sql, instead) => {
    expect(problems(`select 1;\n\n${sql};\n`)).toEqual([expect.stringContaining(instead)]);
  });
});

describe('a migration that only mentions these commands is accepted', () => {
  test.each([
    'set local lock_timeout = 0',
    'set constraints all deferred',
    'set transaction isolation level serializable',
    "select set_config('a.b', '', true)",
    "select set_config('a.b', f(g(h(1))), (true))",
    "select set_config('a.b', 'c, false)', 'on'::boolean)",
    "select set_config(is_local => true, setting_name => 'a.b', new_value => 'c')",
    "create policy own on app_public.lists using (set_config('a.b', 'c', false) is null)",
    'create temp table pg_temp.numbers (n int); insert into numbers values (1); drop table numbers',
    'create table pg_temp.numbers (n int); insert into numbers values (1)',
    'select 1 as n into temp numbers; update numbers set n = 2; drop table numbers',
    'with one as (select 1 as n) select n into local temporary table "Numbers" from one; delete from "Numbers"',
    'create temp table a (n int); create index a_idx on a (n); alter table a rename to b; drop index a_idx; drop table b',
    'alter table all in tablespace slow set tablespace fast',
    'alter index all in tablespace slow owned by hedgerow_owner set tablespace fast nowait',
    "comment on table app_public.lists is 'begin; commit; \\i x; set role y'",
    'create function app_private.f() returns int language sql begin atomic select 1; end',
    "create function app_private.f() returns void language plpgsql set search_path = '' as $f$ begin commit; perform set_config('a', 'b', false); end $f$",
    'create procedure app_private.p() language plpgsql as $$ begin commit; end $$',
    'alter role hedgerow_owner set lock_timeout = 0',
    "update app_public.lists set title = 'commit'",
    'do $$ begin set local lock_timeout = 0; end $$',
    "do $$ begin raise notice 'commit;'; end $$",
    '-- commit;\nselect 1',
    'create rule quiet as on delete to app_private.audit_log do instead nothing',
    'create trigger t after insert or update of name on app_public.lists for each row execute function app_private.f()',
    'create temp table numbers (n int); insert into numbers values (1); drop table numbers',
    "set local search_path = app_public, pg_catalog; update lists set title = ''",
    "select E'it\\'s; commit;'",
    'with found as (select 1) delete from app_public.lists',
    'create policy "Users can see rows based on membership" on app_public.a using (true)',
    'create policy "it ""counts"" on x" on app_public . a using (true)',
    'create policy U&"see on \\0061" on app_public.a using (true)',
    'create policy U&"see on !0061" uescape \'!\' on app_public.a using (true)',
    'alter policy "read on demand" on only app_public.a using (true)',
    'drop policy "select on own rows" on app_public.a',
    'drop policy if exists "select on own rows" on app_public.a',
    'create trigger "notify on change" after update on app_public.a for each row execute function app_private.f()',
    'create trigger t after update of "on x" /* on y */ on app_public.a for each row execute function app_private.f()',
    'alter trigger "notify on change" on app_public.a rename to "x on y"',
    'create rule "quiet on x to y" as on delete to app_public.a do instead nothing',
    'drop rule "quiet on x" on app_public.a',
    'create index "idx on title" on app_public.a (title)',
    'create index concurrently_named on app_public."on a" (title)',
    'do $$ declare reset boolean; begin reset := true; end $$',
    'do $$ declare x int; reset boolean; set boolean = true; begin reset = true; end $$',
    'do $$ declare commit text[]; begin commit[1] := 1; commit := array[1]; end $$',
    'do $$ #variable_conflict use_column\ndeclare reset int; begin null; end $$',
    'do $$ begin x := case when a then reset else set end; end $$',
    "do $$ begin execute 'set local search_path = public'; end $$",
    "do $$ begin execute 'set ' || 'local lock_timeout = 0'; end $$",
    "do $$ begin execute format('set %s lock_timeout = 0', 'local'); end $$",
    "do $$ begin execute format('alter role %I set lock_timeout = 0', 'a'); end $$",
    "do $$ begin raise notice 'execute'; execute 'select ''set x = 1'''; end $$",
    'do $$ begin grant execute on function app_private.f() to a; end $$',
    `select set_config('a.b', 'c', "is_local" => true)`,
    'select "set_config" from app_public.a',
    "insert into app_public.lists (title) values (translate('x', '\ufffd', ''))",
    'create table app_public/* . */.a (id uuid)',
    'create temp table "Tags" (n int); insert into "Tags" values (1)',
    'create temp table tags (n int); insert into "tags" values (1)',
    `alter table app_public.a add constraint "detach partition b concurrently" check (true)`,
    'reindex table app_public."x concurrently"',
    'create function "app on x".f() returns int language sql return 1',
    'select "copy x from stdin" from app_public.a',
    'select copy from stdin',
    'comment on policy "x on y" on app_public.a is \'select set_config\'',
  ])('%s', (sql) => expect(problems(`${sql};\n`)).toEqual([]));
});

describe('a psql command is refused with its replacement', () => {
  test.each([
    ['\\i seed.sql', '--! include'],
    ['\\ir seed.sql', '--! include'],
    ['\\set name value', 'placeholder'],
    ["\\copy app_public.lists from 'x.csv' csv", 'insert into'],
    ['\\echo done', 'SQL'],
    ['copy app_public.lists (title) from stdin;', 'insert into'],
  ])('%s', (line, instead) => {
    expect(problems(`select 1;\n${line}\nselect 2;\n`)).toEqual([expect.stringMatching(/^current\.sql:2: /)]);
    expect(problems(`select 1;\n${line}\nselect 2;\n`)[0]).toContain(instead);
  });
});

describe('a name without its schema is refused', () => {
  test.each([
    ['create table tags (id uuid)', 'tags'],
    ['alter table if exists only "Tags" add x int', '"Tags"'],
    ['create policy select_own on tags for select using (true)', 'tags'],
    ['create unique index concurrently_named on tags (id)', 'tags'],
    ['drop index if exists tags_idx', 'tags_idx'],
    ['create index on tags (id)', 'tags'],
    ['create unique index on only "Tags" (id)', '"Tags"'],
    ['create or replace function f() returns int language sql return 1', 'f'],
    ['insert into tags values (1)', 'tags'],
    ['update only tags set a = 1', 'tags'],
    ['delete from tags', 'tags'],
    ['create policy "on app_public.a" on tags using (true)', 'tags'],
    ['drop trigger "x on app_public.a" on "my.tags"', '"my.tags"'],
    ['create index "x on app_public.a" on tags (id)', 'tags'],
    ["insert into tags values ('select set_config(''search_path'', ''x'', true)')", 'tags'],
    ["insert into tags values (' into temp tags')", 'tags'],
  ])('%s', (sql, name) => {
    expect(problems(`${sql};`)).toEqual([expect.stringContaining(`write \`app_public.${name}\``)]);
    expect(textProblems('current.sql', `${sql};`, 'app_public, pg_catalog')).toEqual([]);
  });
});

describe('a statement that cannot run in a transaction', () => {
  const create = 'create index concurrently if not exists a_idx on app_public.lists (title);\n';
  test('needs --! no-transaction', () => {
    expect(problems(create)).toEqual([expect.stringMatching(/:1: `create index concurrently` cannot run in a trans/)]);
    expect(problems('vacuum app_public.lists;')).toHaveLength(1);
    expect(problems(`--! no-transaction\n${create}`)).toEqual([]);
    expect(problems(`--! Message: x\n--! no-transaction\n${create}`)).toEqual([]);
  });
  test.each([
    ['cluster', '`cluster` .*cluster app_public'],
    ['cluster verbose', '`cluster`'],
    ['cluster (verbose)', '`cluster`'],
    ['reindex database hedgerow', 'reindex table app_public'],
    ['reindex (verbose) system', 'reindex table app_public'],
    ['reindex schema app_public', 'reindex table app_public'],
    ['reindex (verbose, concurrently) index app_public.a_idx', '`reindex \\(concurrently\\)` cannot'],
    ['reindex (verbose) table concurrently app_public.a', '`reindex concurrently` cannot'],
    ['alter table app_public.a detach partition app_public.b concurrently', '`detach partition concurrently`'],
    ['vacuum', '`vacuum`'],
    ['vacuum (full, analyze) app_public.a', '`vacuum`'],
    ['create database x', 'outside migrations'],
    ['drop database if exists x', 'outside migrations'],
    ["create tablespace fast location '/x'", 'outside migrations'],
    ['drop tablespace fast', 'outside migrations'],
    ['alter database x set tablespace fast', 'outside migrations'],
    ['alter system set work_mem = 1', '`alter system` .*alter database'],
    ["create subscription s connection 'create_slot = false' publication p", 'with \\(create_slot = false\\)'],
    ['alter subscription s refresh publication', '`alter subscription … refresh`'],
    ['alter subscription s add publication p', 'refresh = false'],
    ['alter subscription s set (failover = true)', '`alter subscription … set`'],
    ['alter subscription b set (slot_name = none); drop subscription s', 'slot_name = none'],
  ])('%s is refused with its replacement', (sql, expected) => {
    expect(problems(`${sql};`)).toEqual([expect.stringMatching(new RegExp(expected))]);
    expect(problems(`${sql};`)[0]).toContain(
      'make it the only statement of a migration whose first line is `--! no-transaction`',
    );
    if (!sql.includes(';')) expect(problems(`--! no-transaction\n${sql};`)).toEqual([]);
  });
  test.each([
    'cluster app_public.a using a_idx',
    'cluster verbose app_public.a',
    'reindex (concurrently false) table app_public.a',
    'reindex index app_public.concurrently',
    'alter database x set work_mem = 1',
    "create subscription s connection 'x' publication p with (connect = false)",
    "create subscription s connection 'x' publication p with (enabled = false, create_slot = 'off')",
    'alter subscription s add publication p with (refresh = false)',
    'alter subscription s disable; alter subscription s set (slot_name = none); drop subscription s',
  ])('is not %s', (sql) => expect(problems(`${sql};`)).toEqual([]));
  test('must be the only statement', () => {
    const beside = `--! no-transaction\n${create}comment on table app_public.lists is 'x';`;
    expect(problems(beside)).toEqual([expect.stringMatching(/:2: .*must be the only statement of its migration/)]);
  });
  test('needs --! no-transaction in the first line', () => {
    expect(problems(`${create}--! no-transaction\n`)).toContainEqual(expect.stringMatching(/:2: .*first line/));
  });
});

test('the error for a transaction command after --! no-transaction says what to remove', () => {
  const sql = '--! no-transaction\nbegin;\nupdate app_public.lists set title = title;\ncommit;';
  expect(problems(sql)).toEqual([
    expect.stringMatching(/:2: `begin` .*Remove `--! no-transaction` and `begin`/),
    expect.stringMatching(/:4: `commit` .*Remove `--! no-transaction` and `commit`/),
  ]);
  expect(problems(sql).join()).not.toContain('every migration already runs in one transaction');
  expect(problems('--! no-transaction\ndo $$ begin commit; end $$;')[0]).toMatch(/leaves half of its work/);
});

test('each encoding problem is refused with its name', () => {
  const encoding = (text: string) => encodingProblems('current.sql', Buffer.from(text));
  expect(encoding('\ufeffselect 1;')).toEqual([expect.stringContaining('byte order mark')]);
  expect(encoding('select 1;\r\n')).toEqual([expect.stringContaining('CRLF')]);
  expect(encoding('s\0e\0')).toEqual([expect.stringContaining('UTF-8')]);
  expect(encoding("select 1;\nselect translate(x, '\ufffd', 'caf\u00e9');\n")).toEqual([]);
  const latin1 = Buffer.concat([Buffer.from("select '\ufffd';\n"), Buffer.from("select 'caf\xe9';\n", 'latin1')]);
  expect(encodingProblems('current.sql', latin1)).toEqual([expect.stringMatching(/^current\.sql:2: .*not UTF-8/)]);
  expect(problems('select\n\u00a01;')).toEqual([expect.stringMatching(/:2: .*U\+00A0/)]);
  expect(problems("select '\u00a0';")).toEqual([]);
});
