import { buildServedApi } from '../../dba/servedApi/lintSchema.ts';
import { inspectCatalog } from '../../lint/catalog.ts';
import { readRules } from '../../lint/rules.ts';
import { openTestDatabase } from '../support/database.ts';

const { client } = await openTestDatabase();
const all = await readRules();
const rules = all.filter(({ name }) => name === 'api-not-buildable');
const unserved = all.filter(({ name }) => name === 'granted-not-served');

const table = (name: string, columns: string, comment = '') => `
  create table app_public.${name} (
    user_id uuid not null default app_public.current_user_id() references app_public.users,
    id uuid not null default gen_random_uuid(), ${columns}, primary key (user_id, id));
  alter table app_public.${name} enable row level security, force row level security;
  create policy own on app_public.${name} to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
  grant select, insert, update, delete on app_public.${name} to hedgerow_tenant;
  ${comment && `comment on table app_public.${name} is ${comment};`}`;

async function findings(sql: string, of = rules) {
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query('set local search_path = pg_catalog');
    return (await inspectCatalog(client, of, buildServedApi)).map(({ object, detail }) => ({ object, detail }));
  } finally {
    await client.query('rollback');
  }
}

test.each([
  [
    'labels of two',
    `create type app_public.state as enum ('to do', 'to-do'); ${table('jobs', 's app_public.state')}`,
    'app_public.state',
    "The labels 'to do' and 'to-do' of the enum app_public.state would both be to_do in the API. Rename one of them.",
  ],
  [
    'a label without a letter',
    `create type app_public.state as enum ('a', '--'); ${table('jobs', 's app_public.state')}`,
    'app_public.state',
    "The label '--' of the enum app_public.state has no letter or digit for a name in the API. Rename it.",
  ],
  ['two columns', table('jobs', 'foo_bar text, "fooBar" text'), 'app_public.jobs."fooBar"', /would be called fooBar/],
  ['a table nodes', table('nodes', 'a text'), 'app_public.nodes', 'the API already has a type Node: rename it'],
  ['a table queries', table('queries', 'a text'), 'app_public.queries', 'the API already has a type Query: rename it'],
  [
    'an enum and a table',
    `create type app_public.mood as enum ('a'); ${table('moods', 'm app_public.mood')}`,
    'app_public.moods',
    'app_public.moods and app_public.mood would both define the type Mood of the API: rename one of them',
  ],
  ['two tables', table('cat', 'a text') + table('cats', 'a text'), 'app_public.cats', /catsByTheirUserId/],
  [
    'two tables of one name',
    table('foo_bars', 'a text') + table('"fooBars"', 'a text'),
    'app_public."fooBars"',
    /would both be called fooBars/,
  ],
  [
    'a function and a table',
    'create function app_public.todos() returns int language sql stable return 1; grant execute on function app_public.todos to hedgerow_tenant',
    'function app_public.todos()',
    /would both be called todos/,
  ],
  [
    'a function like a bulk mutation',
    'create function app_public.create_todos(a int) returns int language sql volatile return 1; grant execute on function app_public.create_todos to hedgerow_tenant',
    'function app_public.create_todos(integer)',
    /CreateTodosInput/,
  ],
  [
    'a computed column',
    'create function app_public.todos_title(t app_public.todos) returns text language sql stable return 1::text; grant execute on function app_public.todos_title to hedgerow_tenant',
    'function app_public.todos_title(app_public.todos)',
    /would be called title: rename function app_public.todos_title/,
  ],
  [
    'a relation and a column',
    table('jobs', 'list uuid, list_id uuid, foreign key (user_id, list_id) references app_public.lists'),
    'app_public.jobs.list',
    /would be called list/,
  ],
  [
    'a relation from another table and a column',
    'alter table app_public.lists add column todos text; grant select on app_public.lists to hedgerow_tenant',
    'app_public.lists.todos',
    /would be called todos/,
  ],
  ['a column without a letter', table('jobs', '"--" text'), 'app_public.jobs."--"', /no letter or digit/],
  [
    'an attribute without a letter',
    `create type app_public.pair as (a text, "😀" text); ${table('jobs', 'p app_public.pair')}`,
    'app_public.pair."😀"',
    /no letter or digit/,
  ],
  ['a key and a column', table('jobs', 'row_id text'), 'app_public.jobs.row_id', /would be called rowId/],
  [
    'two columns of a function',
    `create function app_public.f(out foo_bar text, out "fooBar" text) language sql stable as $$ select 1::text, 2::text $$;
     grant execute on function app_public.f to hedgerow_tenant`,
    'function app_public.f()',
    /would be called fooBar/,
  ],
  [
    'an argument',
    `create function app_public.named(number integer, author app_public.users) returns text language sql stable return 'x';
     grant execute on function app_public.named to hedgerow_tenant`,
    'function app_public.named(integer,app_public.users)',
    /no input type for its argument of type users/,
  ],
  [
    'two columns of a view',
    `create view app_public.v with (security_invoker) as select id, title as foo_bar, title as "fooBar" from app_public.todos;
     grant select on app_public.v to hedgerow_tenant`,
    'app_public.v."fooBar"',
    /would be called fooBar/,
  ],
  [
    'a polymorphic table with a key of users',
    `${table('items', 'type text not null')} ${table('posts', 'body text, foreign key (user_id, id) references app_public.items')}
     comment on table app_public.items is E'@interface mode:relational type:type\\n@type POST references:posts'`,
    'app_public.posts',
    /would be called user/,
  ],
  [
    'a view',
    `create view app_public.open_todos with (security_invoker) as select user_id, id, list_id from app_public.todos;
     comment on view app_public.open_todos is E'@primaryKey user_id,id\\n@foreignKey (user_id, list_id) references app_public.lists (user_id, id)';
     grant select on app_public.open_todos to hedgerow_tenant`,
    'app_public.open_todos',
    /leave user_id out on both sides/,
  ],
])('the linter names the object that prevents the API: %s', async (_what, sql, object, detail) => {
  const [finding, ...others] = await findings(sql);
  expect(others).toEqual([]);
  expect(finding?.object).toBe(object);
  expect(finding?.detail).toMatch(detail);
});

test.each([
  [
    'labels of every kind',
    `create type app_public.state as enum ('to do', 'in-progress', '24h', 'n/a', 'en-US', '通知', 'é', 'true', 'null', '__x', '>=', '');
     ${table('jobs', 's app_public.state')}`,
  ],
  ['columns of every kind', table('jobs', '"1st" text, "a-b" text, "ä" text, "通知" text, "__x" text')],
  [
    'a view without the owner column',
    `create view app_public.open_todos with (security_invoker) as select user_id, id, list_id from app_public.todos;
     comment on view app_public.open_todos is E'@primaryKey id\\n@foreignKey (list_id) references app_public.lists (id)';
     grant select on app_public.open_todos to hedgerow_tenant`,
  ],
])('the API serves %s', async (_what, sql) => {
  expect(await findings(sql)).toEqual([]);
});

test('the linter reports granted mutations of a polymorphic table, which the API does not have', async () => {
  const sql = table(
    'things',
    'type text not null, a text',
    "E'@interface mode:single type:type\\n@type A name:ThingA attributes:a'",
  );
  expect(await findings(sql)).toEqual([]);
  // Its comment sets no behavior, so the grants count.
  expect(await findings(sql, unserved)).toEqual([
    {
      object: 'app_public.things',
      detail: 'tenants are granted insert and update and delete, but the API has no such mutation',
    },
  ]);
});

test('the linter reports granted procedures, aggregates and columns without a type in the API', async () => {
  const sql = `${table('jobs', 'body text, words tsvector, author app_public.users, spans int4range[], parts text[][]')}
    create procedure app_public.tidy() language sql as '';
    create function app_private.next(integer, integer) returns integer language sql immutable return $1;
    create aggregate app_public.last_one(integer) (sfunc = app_private.next, stype = integer);
    create function app_public.of_log(entry app_private.audit_log) returns text language sql stable return 'x';
    create function app_public.jobs_count(job app_public.jobs) returns integer language sql stable return 1;
    create function app_public.all_jobs() returns setof app_public.jobs language sql stable as 'select * from app_public.jobs';
    create function app_public.add_job() returns app_public.jobs language sql volatile as 'select * from app_public.jobs limit 1';
    grant execute on all routines in schema app_public to hedgerow_tenant;`;
  expect(await findings(sql, unserved)).toEqual([
    { object: 'aggregate app_public.last_one(integer)', detail: expect.stringContaining('serves no aggregates') },
    {
      object: 'function app_public.of_log(app_private.audit_log)',
      detail: expect.stringContaining('no type for its arguments'),
    },
    { object: 'procedure app_public.tidy()', detail: expect.stringContaining('serves no procedures') },
    { object: 'app_public.jobs.words', detail: expect.stringContaining('does not serve its type tsvector') },
    {
      object: 'app_public.jobs.author',
      detail: expect.stringContaining('accepts no value of its type app_public.users'),
    },
  ]);
});
