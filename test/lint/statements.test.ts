import { splitStatements } from '../../lint/statements.ts';

const split = (sql: string) => splitStatements('current.sql', sql);

test('a semicolon in a literal, a comment, a body or a quoted name does not end a statement', () => {
  const sql = [
    `insert into a values ('x;''y', E'\\'; --', "odd;name") -- not; here`,
    '/* nor; /* here; */ ; */ returning 1;',
    'create function f() returns int language sql begin atomic',
    '  select case when true then 1 else 2 end; select 2;',
    'end;',
    'do $body$ begin perform 1; end $body$;',
    'select $$;$$, a$b, $1',
  ].join('\n');
  expect(split(sql).map(({ text, line }) => [line, text])).toEqual([
    [1, `insert into a values ('x;''y', E'\\'; --', "odd;name") returning 1`],
    [
      3,
      'create function f() returns int language sql begin atomic select case when true then 1 else 2 end; select 2; end',
    ],
    [6, 'do $body$ begin perform 1; end $body$'],
    [7, 'select $$;$$, a$b, $1'],
  ]);
});

test('an unterminated literal or comment still yields a statement', () => {
  expect(split("select 'x; select 1").map(({ text }) => text)).toEqual(["select 'x", 'select 1']);
  expect(split('select 1; /* and').map(({ text }) => text)).toEqual(['select 1']);
  expect(split('do $$ x; y').map(({ text }) => text)).toEqual(['do $$ x; y']);
  expect(split(' ;; -- nothing\n')).toEqual([]);
});

test.each([
  ['create unique index concurrently if not exists a_idx on app_public.a (b)', 'create index a_idx'],
  ['create or replace function app_public.f(a int) returns int', 'create function app_public.f'],
  ['create unique index on only app_public.a (b)', 'create index on app_public.a'],
  ['create index concurrently on a (b)', 'create index on a'],
  ['create policy "select own" on app_public.a for select', 'create policy "select own" on app_public.a'],
  ['CREATE TABLE app_public."A b" (id uuid)', 'create table app_public."A b"'],
  ['alter table only app_public.a add column b int', 'alter table app_public.a'],
  [
    'create trigger t before update on app_public.a for each row execute function f()',
    'create trigger t on app_public.a',
  ],
  ['create policy "based on x" on app_public.a using (true)', 'create policy "based on x" on app_public.a'],
  ['create policy U&"x on y" on app_public.a using (true)', 'create policy U&"x on y" on app_public.a'],
  [
    'create trigger t after update of "x on y" on app_public.a for each row execute function f()',
    'create trigger t on app_public.a',
  ],
  ['create index "idx on title" on app_public.a (b)', 'create index "idx on title"'],
  ['create materialized view app_public.v as select 1', 'create view app_public.v'],
  ['drop table if exists app_public.a, app_public.b', 'drop table app_public.a'],
  ['select 1', 'select 1'],
])('the statement %s is named %s', (sql, name) => {
  expect(split(sql)[0]?.object).toBe(name);
});

test('a migration with --! no-transaction runs outside a transaction', () => {
  expect(split('--! no-transaction\nvacuum a;')[0]).toMatchObject({ inTransaction: false, line: 2 });
  expect(split('-- no-transaction\nvacuum a;')[0]).toMatchObject({ inTransaction: true });
});
