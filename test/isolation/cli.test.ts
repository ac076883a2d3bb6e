import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { root } from '../../common/root.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

// Under load, these tests take minutes instead of seconds.
import.meta.jest.setTimeout(300_000);

let db: TestDatabase;
let directory: string;
beforeAll(async () => {
  db = await createTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'hedgerow-isolation-'));
});
afterAll(async () => {
  await db.drop();
  await rm(directory, { recursive: true });
});

/** Runs the prover and resolves with its exit code and output. */
function isolation(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
    const env = { PATH, HOME, NODE_COMPILE_CACHE };
    const child = execFile(
      process.execPath,
      [join(root, 'isolation', 'main.ts'), ...args],
      { env },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

async function once({ adminUrl }: TestDatabase, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

const leaky = `
create table app_public.leaky (user_id uuid not null default app_public.current_user_id() references app_public.users, word text primary key);
grant select on app_public.leaky to hedgerow_tenant;`;

test('the prover refuses a database that is not marked as scratch and hides its password', async () => {
  const { code, stderr } = await isolation('--database-url', db.adminUrl);
  expect(code).toBe(2);
  expect(stderr).toContain('not marked as scratch');
  expect(stderr).toContain('--clone');
  expect(stderr).not.toContain(decodeURIComponent(new URL(db.adminUrl).password));
});

test('the prover attacks a copy, reports the leak and leaves the original unchanged', async () => {
  // No one may be connected to the original during the copy, and `asAdmin` keeps its connection open.
  const original = await createTestDatabase();
  await once(original, leaky);
  const json = join(directory, 'report.json');
  const before = await databases();
  const args = ['--database-url', original.adminUrl, '--table', 'leaky', '--seed', '5', '--json', json];
  const { code, stdout } = await isolation(...args, '--clone');
  expect(stdout).toContain('LEAK  app_public.leaky: select by scan');
  expect(code).toBe(1);
  const report = JSON.parse(await readFile(json, 'utf8'));
  expect(report).toMatchObject({
    version: 1,
    seed: 5,
    tables: ['app_public.leaky'],
    attacks: expect.any(Number),
    mutants: { total: 0, killed: 0, survived: 0, equivalent: 0 },
  });
  expect(report.leaks).toContainEqual({
    table: 'app_public.leaky',
    operation: 'select',
    path: 'sql',
    attack: 'select count',
    statement: expect.stringContaining('select count(*) from app_public.leaky'),
    evidence: expect.stringContaining("With A's rows removed"),
  });
  expect((await once(original, 'select from app_public.users')).rowCount).toBe(0);
  expect(await databases()).toEqual(before);
  await original.drop();
});

test('a sound database that is marked as scratch is proven', async () => {
  const name = new URL(db.adminUrl).pathname.slice(1);
  await db.asAdmin(`comment on database ${name} is 'hedgerow scratch'`);
  const { code, stdout } = await isolation(
    '--database-url',
    db.adminUrl,
    '--table',
    'lists',
    '--login-role',
    'hedgerow_authenticator',
  );
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Proven') });
});

test('a run without anything to attack proves nothing', async () => {
  const on = (...args: string[]) => isolation('--database-url', db.adminUrl, ...args);
  expect(await on('--table', 'missing')).toMatchObject({
    code: 2,
    stdout: expect.stringContaining('Nothing was attacked'),
  });
  expect(await on('--schema', 'missing')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('There is no schema missing'),
  });
  expect(await on('--role', 'missing')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('There is no role missing'),
  });
});

test('invalid options exit with 2, and --help exits with 0', async () => {
  expect(await isolation('--seed', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('--seed') });
  expect(await isolation('--only', 'nonsense')).toMatchObject({ code: 2 });
  expect(await isolation('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('--database-url') });
});

const databases = async () =>
  (await db.asAdmin<{ datname: string }>('select datname from pg_database'))
    .map(({ datname }) => datname)
    .filter((name) => name.startsWith('isolation_copy'))
    .sort();
