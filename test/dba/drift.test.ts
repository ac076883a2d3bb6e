import { describeSchema } from '../../dba/describe/describeSchema.ts';
import { compareSchema } from '../../dba/drift/compareSchema.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const describeNow = () => withClient(db.ownerUrl, describeSchema);
const differences = async (expected: string) =>
  withClient(db.ownerUrl, async (client) => compareSchema(client, expected, await describeSchema(client)));

/** Recreates each object from the text that Postgres shows for it, as a dump and its restore do. */
const restoreExpressions = `do $$
  declare o record;
  begin
    for o in select conrelid::regclass as t, conname, pg_get_constraintdef(oid) as d from pg_constraint
      where contype = 'c' and connamespace = 'app_private'::regnamespace and conrelid <> 0 loop
      execute format('alter table %s drop constraint %I, add constraint %I %s', o.t, o.conname, o.conname, o.d);
    end loop;
    for o in select polrelid::regclass as t, polname, pg_get_expr(polqual, polrelid) as d from pg_policy
      where polrelid::regclass::text like 'app_private.drift%' loop
      execute format('drop policy %I on %s; create policy %I on %s for select to hedgerow_tenant using (%s)', o.polname, o.t, o.polname, o.t, o.d);
    end loop;
    for o in select indexrelid::regclass as i, pg_get_indexdef(indexrelid) as d from pg_index
      where indexrelid::regclass::text like 'app_private.drift%_idx' loop
      execute format('drop index %s; %s', o.i, o.d);
    end loop;
    for o in select oid::regclass as v, pg_get_viewdef(oid) as d from pg_class where relname like 'drift%_view' loop
      execute format('drop view %s; create view %s as %s', o.v, o.v, o.d);
    end loop;
    for o in select tgrelid::regclass as t, tgname, pg_get_triggerdef(oid) as d from pg_trigger where tgname = 'drift_trigger' loop
      execute format('drop trigger %I on %s; %s', o.tgname, o.t, o.d);
    end loop;
    for o in select attrelid::regclass as t, attname, pg_get_expr(adbin, adrelid) as d from pg_attribute
      join pg_attrdef on adrelid = attrelid and adnum = attnum where attname like 'made%' loop
      execute format('alter table %s drop column %I, add column %I boolean generated always as (%s) stored', o.t, o.attname, o.attname, o.d);
    end loop;
    for o in select oid::regprocedure as f, pg_get_functiondef(oid) as d from pg_proc where proname = 'drift_check' loop
      execute format('drop function %s; %s', o.f, o.d);
    end loop;
  end
  $$`;

const shapes = [
  "a between 1 and 5 and b in ('x', 'y')",
  "(b in ('x', 'y') and a between 1 and 2) or not (a = 3 and b = 'z' and a < 9)",
];

test.each(shapes)('an expression that a dump shows in another form is no drift: %s', async (expression) => {
  await db.asOwner(`drop table if exists app_private.drift cascade; drop function if exists app_private.drift_check(int, varchar);
    drop domain if exists app_private.drift_domain;
    create table app_private.drift (a int, b varchar, made boolean generated always as (${expression}) stored,
      constraint drift_check check (${expression}), gone text);
    grant insert (a, gone) on app_private.drift to hedgerow_tenant;
    alter table app_private.drift drop column gone;
    alter table app_private.drift enable row level security, force row level security;
    create policy drift_policy on app_private.drift for select to hedgerow_tenant using (${expression});
    create index drift_a_idx on app_private.drift (a) where ${expression};
    create view app_private.drift_view as select a from app_private.drift where ${expression};
    create trigger drift_trigger before update on app_private.drift for each row
      when (${expression.replace(/\b([ab])\b/g, 'new.$1')}) execute function app_private.set_updated_at();
    create function app_private.drift_check(a int, b varchar) returns boolean language sql begin atomic
      select ${expression}; end;`);
  const before = await describeNow();
  expect(before).not.toContain('pg.dropped');
  await db.asOwner(restoreExpressions);
  expect(await describeNow()).not.toBe(before);
  expect(await differences(before)).toEqual([]);
  // Real differences are still reported.
  await db.asOwner(`alter table app_private.drift drop constraint drift_check, add constraint drift_check check (a between 1 and 6);
    alter policy drift_policy on app_private.drift using (${expression} and a > 0)`);
  const found = (await differences(before)).join('\n');
  expect(found).toMatch(/missing from the database: table app_private\.drift: constraint drift_check/);
  expect(found).toMatch(/not in migrations\/snapshot\.txt: table app_private\.drift: policy drift_policy/);
  expect(found.split('\n')).toHaveLength(4);
});

test.each([
  ['a rule', 'create rule quiet as on delete to app_private.audit_log do instead nothing', /rule quiet ON DELETE/],
  [
    'a smart comment',
    "comment on column app_public.todos.title is '@behavior -*'",
    /comment on column title "@behavior/,
  ],
  ['a comment on a table', "comment on table app_public.lists is '@omit'", /table app_public\.lists: comment "@omit"/],
  ['a comment on a policy', "comment on policy select_own on app_public.lists is 'x'", /comment on policy select_own/],
  [
    'the collation of a column',
    'alter table app_private.audit_log add column c text collate "C"',
    /column c text collate "C"/,
  ],
  [
    'a collation',
    "create collation app_private.sorted (provider = libc, locale = 'C')",
    /collation app_private\.sorted: /,
  ],
  [
    'a composite type',
    'create type app_private.pair as (a int, b text)',
    /type app_private\.pair: composite \(a integer, b text\)/,
  ],
  [
    'an identity',
    'alter table app_private.audit_log add column n int not null generated always as identity',
    /generated always as identity/,
  ],
  [
    'the owner of a function',
    'alter function app_private.set_updated_at() owner to postgres',
    /function app_private\.set_updated_at\(\).*: owner postgres/,
  ],
  ['the owner of a schema', 'alter schema app_search owner to postgres', /schema app_search: owner postgres/],
  [
    'the owner of a type',
    "create type app_private.mood as enum ('x'); alter type app_private.mood owner to postgres",
    /type app_private\.mood: owner postgres/,
  ],
  [
    'an aggregate',
    'create aggregate app_private.total (int) (sfunc = int4pl, stype = int, initcond = 0)',
    /aggregate app_private\.total\(integer\) returns integer: function int4pl\(integer,integer\), state integer, initial '0'/,
  ],
  [
    'a privilege on an aggregate',
    'revoke execute on function app_private.total(int) from public',
    /total.*: grant execute to public/,
  ],
  [
    'a privilege of PUBLIC on schema public',
    'grant create on schema public to public',
    /privileges on schema public: public: create/,
  ],
  [
    'a privilege of PUBLIC on the database',
    "do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$",
    /privileges on this database: .*public: temporary/,
  ],
  [
    'a revoked privilege of PUBLIC on a type',
    'revoke usage on type app_private.mood from public',
    /type app_private\.mood: usage is not granted to public/,
  ],
  [
    'a privilege with grant option',
    'grant select on app_public.lists to hedgerow_auth with grant option',
    /lists: grant select to hedgerow_auth with grant option/,
  ],
  [
    'a setting of the database',
    "do $$ begin execute format('alter database %I set row_security = off', current_database()); end $$",
    /settings of this database: row_security=off/,
  ],
  [
    'a setting of a role',
    "do $$ begin execute format('alter role hedgerow_tenant in database %I set app.current_user_id = %L', current_database(), 'secret'); end $$",
    /settings of role hedgerow_tenant in this database: app\.current_user_id \(value not shown\)/,
  ],
  [
    'an operator',
    'create operator app_private.=== (leftarg = int, rightarg = int, function = int4eq)',
    /operator app_private\.===\(integer,integer\) returns boolean: function int4eq/,
  ],
  [
    'an operator class',
    'create operator class app_private.same for type int using hash as operator 1 pg_catalog.=, function 1 hashint4(int)',
    /operator class app_private\.same using hash: for integer, operator 1/,
  ],
  [
    'a cast',
    'create cast (text as app_private.mood) with inout as assignment',
    /cast \(text as app_private\.mood\): in assignments, by text/,
  ],
  ['an extension', 'create extension citext with schema app_private', /extension citext in schema app_private/],
  [
    'the schema of an extension',
    'alter extension citext set schema app_search',
    /extension citext in schema app_search/,
  ],
  ['a replica identity', 'alter table app_public.lists replica identity full', /lists: replica identity full/],
  ['a strict function', 'alter function app_public.current_user_id() strict', /stable, parallel safe, strict/],
])('%s is drift', async (_what, change, expected) => {
  const before = await describeNow();
  await db.asAdmin(change);
  expect((await differences(before)).join('\n')).toMatch(expected);
});
