import { lintSchema } from '../../dba/servedApi/lintSchema.ts';
import { tryPolicies } from '../../lint/tryPolicies.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(`
    create function app_private.inner_check() returns boolean language sql stable as 'select true';
    revoke execute on function app_private.inner_check from public;
    create function app_public.outer_check() returns boolean language sql stable as 'select app_private.inner_check()';
    grant execute on function app_public.outer_check to hedgerow_tenant;
    create function app_public.never() returns boolean language plpgsql stable as
      $$ begin raise exception 'the policy is broken'; end $$;
    grant execute on function app_public.never to hedgerow_tenant;
    create function app_public.is_mine(owner uuid) returns boolean language sql stable as 'select owner is not null';
    revoke execute on function app_public.is_mine from public, hedgerow_tenant;`);
  for (const [table, condition] of [
    ['inlined', 'app_public.outer_check()'],
    ['raising', 'app_public.never()'],
    ['circular', 'user_id in (select c.user_id from app_public.circular c)'],
    ['revoked', 'app_public.is_mine(user_id)'],
    ['working', 'user_id = (select app_public.current_user_id())'],
  ]) {
    await db.asAdmin(`
      create table app_public.${table} (user_id uuid primary key, body text);
      insert into app_public.${table} values (gen_random_uuid(), 'x');
      alter table app_public.${table} enable row level security, force row level security;
      create policy own on app_public.${table} to hedgerow_tenant using (${condition});
      grant select, insert (body), update (body), delete on app_public.${table} to hedgerow_tenant`);
  }
}, 120_000);
afterAll(() => db.drop());

test('tryPolicies reports the commands that fail for every tenant, and changes nothing', async () => {
  const reported = (await tryPolicies(db.listenUrl)).map(({ object, detail }) => `${object}: ${detail}`);
  const failing = (table: string, commands: string[], reason: string) =>
    commands.map((command) => `app_public.${table}: ${command} fails for every tenant: ${reason}`);
  const all = ['select', 'insert', 'update', 'delete'];
  expect(reported).toEqual(
    expect.arrayContaining([
      ...failing('inlined', ['select'], 'permission denied for schema app_private'),
      ...failing('raising', ['select'], 'the policy is broken'),
      ...failing('circular', all, 'infinite recursion detected in policy for relation "circular"'),
      ...failing('revoked', all, 'permission denied for function is_mine'),
    ]),
  );
  expect(reported.filter((one) => !/^app_public\.(inlined|raising|circular|revoked): /.test(one))).toEqual([]);
  expect(await db.asAdmin('select count(*)::int from app_public.working')).toEqual([{ count: 1 }]);
}, 120_000);

test('the linter reports a policy that cannot run once, under the rule that knows the cause', async () => {
  const { findings } = await withClient(db.adminUrl, (client) => lintSchema(client, 'none', db.listenUrl));
  const of = (table: string) =>
    findings.filter(({ rule, object }) => /policy-(not-exec|reads-own)/.test(rule) && object.endsWith(`.${table}`));
  expect(of('revoked').map(({ object }) => object)).toEqual(['policy own on app_public.revoked']);
  expect(of('circular').map(({ rule }) => rule)).toEqual(['policy-reads-own-table']);
  expect(of('raising')).toMatchObject([{ object: 'app_public.raising', level: 'error' }]);
  expect(of('working')).toEqual([]);
}, 120_000);
