import type { Branches } from '../../../dba/branches/branch.ts';
import { openBranches } from '../../../dba/branches/branches.ts';
import { restoreToTime } from '../../../dba/neon/branches.ts';
import { neonProject } from '../../../dba/neon/project.ts';
import { openTarget, type Target } from '../../../postgres/target/target.ts';
import { withClient } from '../../../postgres/withClient.ts';
import { copyCheckout } from '../../support/checkout.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { type NeonApi, startNeonApi } from '../../support/neonApi.ts';

let db: TestDatabase;
let neon: NeonApi;
let target: Target;
let branches: Branches;
beforeAll(async () => {
  db = await createTestDatabase();
  neon = await startNeonApi(db);
  target = await openTarget(neon.env);
  branches = openBranches(target, neon.env);
});
beforeEach(() => {
  neon.requests.length = 0;
});
afterAll(async () => {
  await neon.close();
  await db.drop();
});

/** Connections end at once: the loopback copies databases, which Neon does not. */
const query = (url: string, text: string): Promise<unknown[]> =>
  withClient(url, async (client) => (await client.query({ text, rowMode: 'array' })).rows.flat());
const addUser = (url: string, name: string) =>
  query(url, `insert into app_public.users (email, username) values ('${name}@x.test', '${name}')`);
const users = (url: string) => query(url, 'select username from app_public.users order by 1');

test('create, reset and delete wait until Neon has finished', async () => {
  await addUser(db.adminUrl, 'ada');
  const made = await branches.create('trial');
  expect(made).toMatchObject({ name: 'trial', of: 'main' });
  expect(neon.names()).toEqual(['main', 'hedgerow/trial']);
  expect(neon.requests.filter((request) => request.includes('/operations/'))).toHaveLength(2);

  const { owner, authenticator, admin } = await branches.urls('trial');
  expect(neon.requests.filter((request) => request.includes('pooled=true'))).toEqual([
    expect.stringContaining('role_name=hedgerow_authenticator'),
  ]);
  await addUser(admin as string, 'bob');
  expect(await users(admin as string)).toEqual(['ada', 'bob']);
  expect(await users(db.adminUrl)).toEqual(['ada']);
  expect(await query(owner, 'select current_user')).toEqual(['hedgerow_owner']);
  expect(await query(authenticator as string, 'select current_user')).toEqual(['hedgerow_authenticator']);

  await branches.reset('trial');
  expect(await users(admin as string)).toEqual(['ada']);
  await expect(branches.create('trial')).rejects.toThrow('choose another name');
  await branches.drop('trial');
  expect(neon.names()).toEqual(['main']);
});

test('a promoted branch keeps the connection string, and the replaced one can be promoted back', async () => {
  await branches.create('next');
  const { admin } = await branches.urls('next');
  await addUser(admin as string, 'carol');
  const kept = await branches.promote('next');
  expect(await users(db.adminUrl)).toEqual(['ada', 'carol']);
  expect(await users((await branches.urls(kept)).admin as string)).toEqual(['ada']);
  await branches.promote(kept);
  expect(await users(db.adminUrl)).toEqual(['ada']);
});

test('only branches with the Hedgerow prefix are affected', async () => {
  const names = neon.names();
  for (const act of [branches.drop, branches.reset, branches.promote, branches.urls]) {
    await expect(act('main')).rejects.toThrow(/has no branch hedgerow\/main/);
  }
  expect(neon.names()).toEqual(names);
  expect((await branches.list()).map(({ name }) => `hedgerow/${name}`)).toEqual(
    names.filter((name) => name !== 'main'),
  );
});

test('restore --at restores an earlier time', async () => {
  await neon.remember();
  await addUser(db.adminUrl, 'dave');
  const kept = await restoreToTime(target, neonProject(neon.env) as never, '2026-02-28T12:00:00.000Z');
  expect(await users(db.adminUrl)).toEqual(['ada']);
  expect(await users((await branches.urls(kept)).admin as string)).toEqual(['ada', 'dave']);
});

test('only requests that are safe to repeat are retried', async () => {
  const headers = { 'retry-after': '0' };
  for (const status of [423, 429, 503]) neon.instead.push({ method: 'POST', status, headers });
  for (const status of [429, 500, 503]) neon.instead.push({ method: 'GET', status, headers });
  await branches.create('patient');
  expect(neon.requests.filter((request) => request.startsWith('POST'))).toHaveLength(4);
  expect(neon.instead).toEqual([]);

  // Whether a change was made before the answer was lost is not known.
  neon.requests.length = 0;
  neon.instead.push({ method: 'POST', status: 502, headers });
  await expect(branches.create('lost')).rejects.toThrow('Neon responded with status 502');
  expect(neon.requests.filter((request) => request.startsWith('POST'))).toHaveLength(1);
  await branches.drop('patient');
});

test.each([
  [{ status: 401 }, 'does not accept NEON_API_KEY'],
  [{ status: 404, body: { message: 'project not found' } }, 'Check NEON_PROJECT_ID. Neon says: project not found'],
  [
    { status: 422, body: { code: 'BRANCHES_LIMIT_EXCEEDED', message: 'too many' } },
    'limit of its plan. Neon says: too many',
  ],
])('the error for %j explains the cause', async (answer, words) => {
  neon.instead.push(answer);
  await expect(branches.list()).rejects.toThrow(words);
});

test('a failed operation and an unreachable API are reported', async () => {
  neon.endAs = 'failed';
  await expect(branches.create('unlucky')).rejects.toThrow('operation create_branch failed. no disk');
  await branches.drop('unlucky');
  const elsewhere = await openTarget({ ...neon.env, DATABASE_URL_DIRECT: 'postgres://hedgerow_owner@other.example/x' });
  await expect(openBranches(elsewhere, neon.env).create('x')).rejects.toThrow('has no compute other.example');
});

test('the subcommands use Neon if its key is set, and never print the key', async () => {
  const checkout = await copyCheckout();
  try {
    const run = (...args: string[]) => checkout.run('dba/cli.ts', args, neon.env);
    const runs = [await run('branch', 'create', 'verbs')];
    expect(runs[0]).toMatchObject({ code: 0, output: expect.stringContaining('Neon project quiet-field-12345678') });
    const script = 'console.log(new URL(process.env.DATABASE_URL_DIRECT).pathname)';
    runs.push(await run('branch', 'exec', 'verbs', '--', process.execPath, '-e', script));
    const { owner } = await branches.urls('verbs');
    expect(runs[1]).toMatchObject({ code: 0, output: expect.stringContaining(new URL(owner).pathname) });
    neon.instead.push({ status: 401 });
    runs.push(await run('branch', 'list'));
    expect(runs[2]).toMatchObject({ code: 2 });
    runs.push(await run('restore', '--at', '2026-02-28T12:00:00Z', '--yes'));
    expect(runs[3]).toMatchObject({ code: 0, output: expect.stringContaining('branch before-') });
    runs.push(await run('restore', '--at', 'yesterday', '--yes'));
    expect(runs[4]).toMatchObject({ code: 2, output: expect.stringContaining('2026-02-28T12:00:00Z') });
    for (const { output } of runs) expect(output).not.toContain('secret-word');
  } finally {
    await checkout.remove();
  }
});
