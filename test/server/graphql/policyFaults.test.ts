import { Writable } from 'node:stream';
import { createLog } from '../../../server/http/log.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let ada: Tenant;
let log = '';

const table = (name: string, columns: string, select: string) => `
  create table app_public.${name} (
    user_id uuid not null default app_public.current_user_id() references app_public.users,
    id uuid not null default gen_random_uuid(), ${columns}, primary key (user_id, id));
  alter table app_public.${name} enable row level security, force row level security;
  create policy write_own on app_public.${name} for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
  create policy update_own on app_public.${name} for update to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
  create policy select_own on app_public.${name} for select to hedgerow_tenant using (${select});
  grant select, insert, update on app_public.${name} to hedgerow_tenant;`;

const own = 'user_id = (select app_public.current_user_id())';

beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(`
    create function app_public.is_mine(owner uuid) returns boolean language sql stable
      as $$ select owner = app_public.current_user_id() $$;
    comment on function app_public.is_mine(uuid) is '@behavior -*';
    revoke execute on function app_public.is_mine from public, hedgerow_tenant;
    create function app_public.my_teams() returns setof uuid language plpgsql stable
      as $$ begin return query select t.id from app_public.teams t; end $$;
    comment on function app_public.my_teams() is '@behavior -*';
    ${table('notes', 'body text, deleted_at timestamptz', `${own} and deleted_at is null`)}
    ${table('memos', 'body text', 'app_public.is_mine(user_id)')}
    ${table('teams', 'body text', 'id in (select app_public.my_teams())')}
    ${table('clubs', 'body text', 'id in (select c.id from app_public.clubs c)')}
    ${table('games', 'body text, n int', `${own} and (select 1 / length('')) > 0`)}
    ${table('bouts', 'body text, n int', `${own} and current_setting('app.nothing', true)::uuid is null`)}
    ${table('rounds', 'body text, n int', own)}
    create function app_public.divide() returns trigger language plpgsql as $$ begin new.n := 1 / (new.n - new.n); return new; end $$;
    create trigger divide before insert on app_public.rounds for each row execute function app_public.divide();
    ${table('stakes', 'body text, n int', own)}
    create function app_public.allowed(n int) returns boolean language plpgsql stable as $$ begin return n / 0 = 1; end $$;
    comment on function app_public.allowed(int) is '@behavior -*';
    create policy checked on app_public.stakes as restrictive for insert to hedgerow_tenant with check (app_public.allowed(n));
    ${table('leaves', 'body text, n int, note_id uuid, deleted_at timestamptz', `${own} and deleted_at is null and n > 0`)}
    alter policy update_own on app_public.leaves with check (${own} and n is distinct from 7
      and (note_id is null or exists (select from app_public.notes where notes.id = leaves.note_id)));
    create policy body_is_short on app_public.leaves as restrictive for update to hedgerow_tenant
      using (length(body) < 5);
    ${table('twigs', 'body text, n int, note_id uuid', own)}
    create policy small on app_public.twigs as restrictive for update to hedgerow_tenant using (n < 5);
    create policy own_note on app_public.twigs as restrictive for update to hedgerow_tenant
      using (note_id is null or exists (select from app_public.notes where notes.id = twigs.note_id));
    ${table('parts', 'body text, n int, share int generated always as (100 / n) stored', own)}
    create function app_public.my_quota() returns int language plpgsql stable as $$ begin return 1 / 0; end $$;
    create function app_public.parts_ratio(part app_public.parts) returns int language sql stable
      as $$ select 1 / (part.n - part.n) $$;
    create function app_public.parts_loss(part app_public.parts) returns int language plpgsql stable
      as $$ begin return 1 / (part.n - part.n); end $$;
    create function app_public.part_of(n int) returns int language plpgsql stable as $$ begin return 100 / n; end $$;
    grant execute on function app_public.my_quota, app_public.parts_ratio, app_public.parts_loss, app_public.part_of
      to hedgerow_tenant;`);
  await db.asAdmin(
    `do $$ begin execute format('alter database %I set app.nothing = %L', current_database(), 'word'); end $$`,
  );
  const written = new Writable({
    write(chunk, _encoding, done) {
      log += chunk;
      done();
    },
  });
  server = await serve(db, { log: createLog('info', written) });
  ada = await signUp(server.app, 'ada');
  for (const name of ['notes', 'teams', 'clubs', 'memos', 'games', 'bouts'])
    await db.asAdmin(`insert into app_public.${name} (user_id, body) values ($1, 'x')`, [ada.id]);
  await db.asAdmin("insert into app_public.parts (user_id, body, n) values ($1, 'x', 4)", [ada.id]);
}, 300_000);
afterAll(async () => {
  await server.close();
  await db.drop();
});

test('an update that hides the row says so, alone and among others', async () => {
  const { rowId } = (await ada.graphql('{ notes { nodes { rowId } } }')).body.data.notes.nodes[0];
  const patch = '{deletedAt: "2026-11-27T00:00:00Z"}';
  const error = {
    message: 'the change is not allowed: it hides the row from you',
    extensions: { code: 'BAD_USER_INPUT' },
  };
  const one = `mutation { updateNote(input: {rowId: "${rowId}", patch: ${patch}}) { note { body } } }`;
  expect((await ada.graphql(one)).body.errors).toMatchObject([error]);
  const many = `mutation { updateNotes(input: {updates: [{rowId: "${rowId}", patch: ${patch}}]}) { notes { body } } }`;
  expect((await ada.graphql(many)).body.errors).toMatchObject([error]);
  const change = `mutation { updateNote(input: {rowId: "${rowId}", patch: {body: "y"}}) { note { body } } }`;
  expect((await ada.graphql(change)).body.data.updateNote.note).toEqual({ body: 'y' });
});

test.each([
  ['Twig', '{n: 9}', 'n must not have this value', 'n'],
  ['Twig', '{n: 9, noteId: null}', 'a value is not allowed, or does not name a row of yours', undefined],
  [
    'Twig',
    '{noteId: "00000000-0000-4000-8000-000000000000"}',
    'noteId is not allowed, or does not name a row of yours',
    'noteId',
  ],
  ['Leaf', '{body: "too long"}', 'a value is not allowed, or does not name a row of yours', undefined],
  [
    'Leaf',
    '{n: 7, deletedAt: "2026-11-27T00:00:00Z"}',
    'a value is not allowed, does not name a row of yours, or hides the row from you',
    undefined,
  ],
])('a refused update of %s by %s says: %s', async (type, patch, message, field) => {
  const name = type.toLowerCase();
  const table = type === 'Leaf' ? 'leaves' : 'twigs';
  const [row] = await db.asAdmin<{ id: string }>(
    `insert into app_public.${table} (user_id, body, n) values ($1, 'x', 1) returning id`,
    [ada.id],
  );
  const document = `mutation { update${type}(input: {rowId: "${row?.id}", patch: ${patch}}) { ${name} { body } } }`;
  const { errors } = (await ada.graphql(document)).body;
  expect(errors).toMatchObject([
    { message: `the change is not allowed: ${message}`, extensions: { code: 'BAD_USER_INPUT' } },
  ]);
  expect(errors[0].extensions.field).toBe(field);
});

test.each([
  ['a policy that divides by zero', '{ games { nodes { body } } }', /"code":"22012"/],
  [
    'a policy that divides by zero, beside values',
    '{ games(filter: {body: {equalTo: "x"}}) { nodes { body } } }',
    /"code":"22012"/,
  ],
  [
    'a policy that reads a wrong setting',
    '{ bouts(filter: {body: {equalTo: "x"}}) { nodes { body } } }',
    /"code":"22P02"/,
  ],
  ['a function without arguments', '{ myQuota }', /"code":"22012"/],
  ['a computed column', '{ parts(first: 1, filter: {body: {equalTo: "x"}}) { nodes { ratio } } }', /"code":"22012"/],
  [
    'a computed column in PL/pgSQL',
    '{ parts(first: 1, filter: {body: {equalTo: "x"}}) { nodes { loss } } }',
    /"22012"/,
  ],
  ['a trigger', 'mutation { createRound(input: {round: {n: 1}}) { round { body } } }', /"code":"22012"/],
  ['a function of a policy', 'mutation { createStake(input: {stake: {n: 1}}) { stake { body } } }', /"code":"22012"/],
])('a data exception that %s raises is a fault of the server', async (_what, document, reason) => {
  const { body } = await ada.graphql(document);
  expect(body.errors).toMatchObject([{ extensions: { code: 'INTERNAL', id: expect.any(String) } }]);
  expect(log.split('\n').find((one) => one.includes(body.errors[0].extensions.id))).toMatch(reason);
});

test.each([
  ['the form of a value', '{ notes(filter: {rowId: {equalTo: "x"}}) { nodes { body } } }'],
  ['the form of a cast value', 'mutation { createNote(input: {note: {deletedAt: "never"}}) { note { body } } }'],
  ['a function that is given the value', '{ partOf(n: 0) }'],
  ['a generated column', 'mutation { createPart(input: {part: {n: 0}}) { part { share } } }'],
])('a data exception by %s is the fault of the client', async (_what, document) => {
  expect((await ada.graphql(document)).body.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
});

test.each([
  ['calls a function that tenants may not execute', 'memos', /permission denied for function is_mine/],
  ['reads its own table through a function', 'teams', /"functions":\["app_public\.my_teams/],
  ['reads its own table', 'clubs', /infinite recursion detected in policy/],
])(
  'a policy that %s is a fault of the server, and the log says which',
  async (_what, name, reason) => {
    const { body } = await ada.graphql(`{ ${name} { nodes { body } } }`);
    expect(body.errors).toMatchObject([
      { message: 'Something went wrong on our side.', extensions: { code: 'INTERNAL', id: expect.any(String) } },
    ]);
    const line = log.split('\n').find((one) => one.includes(body.errors[0].extensions.id));
    expect(line).toMatch(reason);
  },
  120_000,
);
