import { randomBytes } from 'node:crypto';
import { patchAdvice } from '../../postgres/patchLevel.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';

let db: TestDatabase;
const bypass = { role: `bypass_${randomBytes(4).toString('hex')}`, password: 'bypass-word' };
const production = (url: string) => productionEnv(db, url);

beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(`create role ${bypass.role} login bypassrls password '${bypass.password}'`);
  await db.asAdmin(`grant hedgerow_authenticator, hedgerow_tenant, hedgerow_auth to ${bypass.role}`);
});
afterEach(killServers);
afterAll(async () => {
  await db.asAdmin(`drop role ${bypass.role}`);
  await db.drop();
});

function bypassUrl(): string {
  const url = new URL(db.adminUrl);
  [url.username, url.password] = [bypass.role, bypass.password];
  return url.href;
}

const wrongRoles: [string, () => string, RegExp][] = [
  ['a superuser', () => db.adminUrl, /postgres is a superuser/],
  ['the owner', () => db.ownerUrl, /hedgerow_owner owns tables/],
  ['a role with BYPASSRLS', bypassUrl, /bypass_\w+ has BYPASSRLS/],
];

/** Starts a server that must refuse, and gives what it says. Whatever it says, no password is in it. */
async function refusal(env: Record<string, string>): Promise<string> {
  const server = spawnServer(env);
  expect(await server.exitCode).toBe(1);
  const output = server.output();
  expect(output).not.toMatch(/^ +at /m);
  if (env.DATABASE_URL) expect(output).not.toContain(new URL(env.DATABASE_URL).password);
  return output;
}

test('production with an incomplete environment lists every missing variable', async () => {
  const output = await refusal({ NODE_ENV: 'production' });
  for (const name of ['DATABASE_URL', 'JWT_SECRET']) expect(output).toMatch(new RegExp(`- ${name} is needed`));
});

test('the production process has no embedded Postgres and no secret of its own, whatever NODE_ENV says', async () => {
  const secret = { JWT_SECRET: 'x'.repeat(32) };
  expect(await refusal({ NODE_ENV: 'development', ...secret })).toMatch(/- DATABASE_URL is needed: `npm start` runs/);
  const { JWT_SECRET: _, ...database } = production(db.serverUrl);
  expect(await refusal({ ...database, NODE_ENV: 'development' })).toMatch(
    /- JWT_SECRET is needed, or JWT_PRIVATE_KEYS/,
  );
});

test.each(wrongRoles)('production refuses to be connected as %s', async (_, url, reason) => {
  const output = await refusal(production(url()));
  expect(output).toMatch(reason);
  expect(output).toMatch(/connect as hedgerow_authenticator/);
});

test.each(wrongRoles.filter(([name]) => name !== 'the owner'))(
  'development only warns of %s',
  async (_, url, reason) => {
    const server = spawnServer({ ...production(url()), NODE_ENV: 'development' });
    expect((await fetch(`${await server.url}/health`)).status).toBe(200);
    const warnings = server
      .output()
      .split('\n')
      .filter((line) => line.includes('"level":40'));
    expect(warnings.join()).toMatch(reason);
  },
);

test('development cannot serve as the owner, who may not become a tenant, and says so', async () => {
  const output = await refusal({ ...production(db.ownerUrl), NODE_ENV: 'development' });
  expect(output).toMatch(/hedgerow_owner may not become hedgerow_tenant/);
});

const wrongSchemas: [string, string, string, RegExp][] = [
  [
    'a table whose row-level security is not forced',
    'alter table app_public.todos no force row level security',
    'alter table app_public.todos force row level security',
    /app_public\.todos has row-level security not enabled, or not forced/,
  ],
  [
    'a table without row-level security',
    'create table app_public.open (id uuid primary key)',
    'drop table app_public.open',
    /app_public\.open has row-level security not enabled/,
  ],
  [
    'a migration that was not applied',
    'create table public.kept as table graphile_migrate.migrations; delete from graphile_migrate.migrations',
    'insert into graphile_migrate.migrations table public.kept; drop table public.kept',
    /migration 000001\S* has not been applied/,
  ],
  [
    'a migration that was edited',
    `update graphile_migrate.migrations set hash = 'sha1:of-another-text ' || hash
      where filename = (select max(filename) from graphile_migrate.migrations)`,
    "update graphile_migrate.migrations set hash = split_part(hash, ' ', 2) where hash like '% %'",
    /migration \d{6}\S* was edited after it was applied/,
  ],
  [
    'an applied migration older than the newest file, without a file of its own',
    `insert into graphile_migrate.migrations (hash, previous_hash, filename)
      select 'sha1:earlier', hash, '000000.sql' from graphile_migrate.migrations order by filename desc limit 1`,
    "delete from graphile_migrate.migrations where hash = 'sha1:earlier'",
    /migration 000000\.sql was applied, but its file is missing/,
  ],
];

test.each(wrongSchemas)('production refuses %s', async (_, breakIt, mendIt, reason) => {
  await db.asAdmin(breakIt);
  try {
    expect(await refusal(production(db.serverUrl))).toMatch(reason);
  } finally {
    await db.asAdmin(mendIt);
  }
});

test('the start reports all problems at once', async () => {
  await db.asAdmin('alter table app_public.todos no force row level security');
  const output = await refusal(production(db.adminUrl));
  await db.asAdmin('alter table app_public.todos force row level security');
  expect(output).toMatch(/superuser/);
  expect(output).toMatch(/app_public\.todos/);
});

test('an unreachable database ends the start with one sentence', async () => {
  const output = await refusal(production('postgres://hedgerow_authenticator:secret-word@127.0.0.1:1/hedgerow'));
  expect(output).toMatch(/^The database cannot be reached: /m);
});

test.each([
  [
    'a wrong password',
    (url: URL) => {
      url.password = 'wrong-word';
    },
  ],
  [
    'a database that does not exist',
    (url: URL) => {
      url.pathname = '/no_such_database';
    },
  ],
])('%s ends the start with a sentence', async (_, spoil) => {
  const url = new URL(db.serverUrl);
  spoil(url);
  const output = await refusal(production(url.href));
  expect(output).toMatch(/^The database cannot be reached: /m);
});

test.each([
  [150_019, 'Postgres 15.20'],
  [150_020, undefined],
  [170_011, 'Postgres 17.12'],
  [180_004, 'Postgres 18.7'],
  [180_007, undefined],
  [190_000, undefined],
  [140_030, 'a newer Postgres'],
])('of Postgres %i it advises %s', (version, to) => {
  if (to) expect(patchAdvice(version)).toMatch(new RegExp(`update to ${to}$`));
  else expect(patchAdvice(version)).toBeUndefined();
});

test('a Postgres without a fix causes a warning, and the server starts', async () => {
  const [found] = await db.asAdmin<{ version: number }>("select current_setting('server_version_num')::int as version");
  const server = spawnServer(production(db.serverUrl));
  expect((await fetch(`${await server.url}/health/db`)).status).toBe(200);
  const advice = patchAdvice(found?.version as number);
  expect(server.output().includes('lets a wrong guess about a hidden row')).toBe(advice !== undefined);
});
