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
    ${table('clubs', 'body text', 'id in (select c.id from app_public.clubs c)')}`);
  const written = new Writable({
    write(chunk, _encoding, done) {
      log += chunk;
      done();
    },
  });
  server = await serve(db, { log: createLog('info', written) });
  ada = await signUp(server.app, 'ada');
  for (const name of ['notes', 'teams', 'clubs', 'memos'])
    await db.asAdmin(`insert into app_public.${name} (user_id, body) values ($1, 'x')`, [ada.id]);
}, 300_000);
afterAll(async () => {
  await server.close();
  await db.drop();
});

test('an update that hides the row says so, alone and among others', async () => {
  const { rowId } = (await ada.graphql('{ notes { nodes { rowId } } }')).body.data.notes.nodes[0];
  const patch = '{deletedAt: "2026-11-27T00:00:00Z"}';
  const error = { message: expect.stringContaining('hides the row from you'), extensions: { code: 'BAD_USER_INPUT' } };
  const one = `mutation { updateNote(input: {rowId: "${rowId}", patch: ${patch}}) { note { body } } }`;
  expect((await ada.graphql(one)).body.errors).toMatchObject([error]);
  const many = `mutation { updateNotes(input: {updates: [{rowId: "${rowId}", patch: ${patch}}]}) { notes { body } } }`;
  expect((await ada.graphql(many)).body.errors).toMatchObject([error]);
  const change = `mutation { updateNote(input: {rowId: "${rowId}", patch: {body: "y"}}) { note { body } } }`;
  expect((await ada.graphql(change)).body.data.updateNote.note).toEqual({ body: 'y' });
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
