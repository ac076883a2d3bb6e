import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';
import { openWorkbench } from '../support/verbs.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterEach(killServers);
afterAll(() => db.drop());

/** The message of a server that refuses to start in another environment. */
async function refusal(env: Record<string, string>): Promise<string> {
  const server = spawnServer(env);
  expect(await server.exitCode).toBe(1);
  expect(server.output()).not.toMatch(/^ +at /m);
  return server.output();
}

/** Statements that make a schema unsafe, their reversal, and the name in the refusal. */
const faults: Record<string, [make: string, undo: string, named: RegExp]> = {
  'view-without-security-invoker': [
    'create view app_public.open_view as select * from app_public.todos; grant select on app_public.open_view to hedgerow_tenant',
    'drop view app_public.open_view',
    /app_public\.open_view: .*\(view-without-security-invoker, docs\/lint\/view-without-security-invoker\.md\)/,
  ],
  'materialized-view': [
    'create materialized view app_private.addresses as select email from app_public.users; grant select on app_private.addresses to hedgerow_tenant',
    'drop materialized view app_private.addresses',
    /app_private\.addresses: .*\(materialized-view/,
  ],
  'security-definer': [
    `create function app_public.all_titles() returns setof text language sql stable security definer set search_path = ''
      as $$ select title from app_public.todos $$;
    revoke execute on function app_public.all_titles() from public;
    grant execute on function app_public.all_titles() to hedgerow_tenant`,
    'drop function app_public.all_titles()',
    /function app_public\.all_titles\(\): .*\(security-definer/,
  ],
  'policy-always-true': [
    'create policy everybody on app_public.lists for select to hedgerow_tenant using (true)',
    'drop policy everybody on app_public.lists',
    /policy everybody on app_public\.lists: .*\(policy-always-true/,
  ],
  'policy-without-tenant': [
    `create policy own_tasks on app_public.tasks for select to hedgerow_tenant
      using (assignee_id = (select app_public.current_user_id()))`,
    'drop policy own_tasks on app_public.tasks',
    /policy own_tasks on app_public\.tasks: .*\(policy-without-tenant/,
  ],
  'current-user-id-replaced': [
    `create or replace function app_public.current_user_id() returns uuid language sql stable parallel safe
      return '11111111-1111-4111-8111-111111111111'::uuid`,
    `create or replace function app_public.current_user_id() returns uuid language sql stable parallel safe
      return nullif(current_setting('app.current_user_id', true), '')::uuid`,
    /function app_public\.current_user_id\(\): .*\(current-user-id-replaced/,
  ],
};

const ownedByAnother = 'owned-by-another-role';

test('production refuses each error that the linter finds in the live schema, and serves what is allowed by name', async () => {
  for (const [make] of Object.values(faults)) await db.asAdmin(make);
  const output = await refusal(productionEnv(db));
  for (const [, , named] of Object.values(faults)) expect(output).toMatch(named);
  expect(output).toMatch(/app_public\.open_view: is owned by postgres, .*\(owned-by-another-role/);
  expect(output).toMatch(/ALLOW_UNSAFE_SCHEMA/);

  const [last = '', ...others] = Object.keys(faults).reverse();
  const allowOthers = [...others, ownedByAnother].join(', ');
  const partly = await refusal({ ...productionEnv(db), ALLOW_UNSAFE_SCHEMA: allowOthers });
  expect(partly.match(/^ {2}- .*\(.*docs\/lint.*$/gm)).toEqual([expect.stringMatching(faults[last]?.[2] as RegExp)]);

  const server = spawnServer({ ...productionEnv(db), ALLOW_UNSAFE_SCHEMA: `${allowOthers},${last},no-such-rule` });
  expect((await fetch(`${await server.url}/health/db`)).status).toBe(200);
  for (const rule of [...Object.keys(faults), ownedByAnother]) {
    expect(server.output()).toMatch(new RegExp(`"level":40.*"rule":"${rule}".*ALLOW_UNSAFE_SCHEMA allows it`));
  }
  expect(server.output()).toMatch(/"level":40.*"no-such-rule".*do not exist/);
  for (const [, undo] of Object.values(faults)) await db.asAdmin(undo);
}, 180_000);

test('development warns of an unsafe schema and serves it', async () => {
  const [make, undo, named] = faults['policy-always-true'] as [string, string, RegExp];
  await db.asAdmin(make);
  const server = spawnServer({ ...productionEnv(db), NODE_ENV: 'development' });
  expect((await fetch(`${await server.url}/health/db`)).status).toBe(200);
  expect(server.output()).toMatch(new RegExp(`"level":40.*${named.source}`));
  await db.asAdmin(undo);
}, 120_000);

test.each([
  ['CREATEROLE', 'createrole', '', /has CREATEROLE/],
  ['REPLICATION', 'replication', '', /has REPLICATION/],
  [
    "a role of Postgres's own",
    '',
    'pg_execute_server_program',
    /it may become pg_execute_server_program, which is a predefined Postgres role/,
  ],
])(
  'production refuses to be connected as a role with %s',
  async (_, attribute, membership, named) => {
    const role = `server_${randomBytes(4).toString('hex')}`;
    await db.asAdmin(`create role ${role} login noinherit ${attribute} password 'server-word'`);
    await db.asAdmin(`grant hedgerow_tenant, hedgerow_auth to ${role}`);
    await db.asAdmin(`grant hedgerow_authenticator to ${role} with inherit true`).catch(() => {});
    if (membership) await db.asAdmin(`grant ${membership} to ${role}`);
    try {
      const url = new URL(db.listenUrl);
      [url.username, url.password] = [role, 'server-word'];
      const output = await refusal(productionEnv(db, url.href));
      expect(output).toMatch(named);
      expect(output).toMatch(new RegExp(`role ${role}: .*role-bypasses-rls`));
      // A later version of the schema excuses what its migrations make, and no role.
      await db.asAdmin(`insert into graphile_migrate.migrations (hash, previous_hash, filename)
      select 'sha1:later', hash, '999999.sql' from graphile_migrate.migrations order by filename desc limit 1`);
      expect(await refusal(productionEnv(db, url.href))).toMatch(named);
    } finally {
      await db.asAdmin("delete from graphile_migrate.migrations where hash = 'sha1:later'");
      await db.asAdmin(`drop role ${role}`);
    }
  },
  120_000,
);

test('what a comment in the migrations allows is served, and so is a newer schema whose comments are not known', async () => {
  const bench = await openWorkbench();
  const env = { ...productionEnv(bench.database), PORT: '0' };
  const start = async () => {
    const server = bench.checkout.start('server/main.ts', [], env);
    await server.line(/"url":"|not safe to serve/);
    await server.stop();
    return server.output();
  };
  try {
    await bench.database.asAdmin(
      'create policy everybody on app_public.lists for select to hedgerow_tenant using (true)',
    );
    expect(await start()).toMatch(/not safe to serve.*\n.*policy everybody on app_public\.lists/);
    const comment =
      '-- lint: allow policy-always-true on policy everybody on app_public.lists because lists are public\n';
    await writeFile(bench.file('current.sql'), comment);
    expect(await start()).not.toMatch(/not safe to serve|policy-always-true/);
    await writeFile(bench.file('current.sql'), '');
    await bench.database.asAdmin(`insert into graphile_migrate.migrations (hash, previous_hash, filename)
      select 'sha1:later', hash, '999999.sql' from graphile_migrate.migrations order by filename desc limit 1`);
    const output = await start();
    expect(output).toMatch(/"url":"/);
    expect(output).toMatch(/"level":40.*"rule":"policy-always-true".*newer than this server/);
  } finally {
    await bench.remove();
  }
}, 180_000);

test('a rule that Postgres refuses to answer is named, and is a reason not to serve', async () => {
  await db.asAdmin('revoke usage on schema app_public from hedgerow_tenant');
  const output = await refusal(productionEnv(db));
  await db.asAdmin('grant usage on schema app_public to hedgerow_tenant');
  expect(output).toMatch(/current-user-id-replaced could not be checked: permission denied for schema app_public/);
}, 120_000);
