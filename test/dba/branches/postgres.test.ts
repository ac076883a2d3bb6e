import { spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import type { Branches } from '../../../dba/branches/branch.ts';
import { openBranches } from '../../../dba/branches/branches.ts';
import { exclusively } from '../../../dba/branches/connections.ts';
import { branchDatabase } from '../../../dba/branches/postgres.ts';
import { databaseOf, inDatabase, machine } from '../../../postgres/target/scratch.ts';
import { openTarget } from '../../../postgres/target/target.ts';
import { withClient } from '../../../postgres/withClient.ts';
import { openWorkbench, type Workbench } from '../../support/verbs.ts';

let bench: Workbench;
let env: NodeJS.ProcessEnv;
let branches: Branches;
let name: string;
beforeAll(async () => {
  bench = await openWorkbench();
  env = { ...bench.env, DATABASE_URL: bench.database.listenUrl };
  branches = openBranches(await openTarget(env), env);
  name = new URL(bench.database.ownerUrl).pathname.slice(1);
  await addUser(bench.database.adminUrl, 'ada');
});
afterAll(async () => {
  for (const branch of await branches.list()) await branches.drop(branch.name, { disconnect: true });
  await bench.remove();
});

const db = (...args: string[]) => bench.checkout.run('dba/cli.ts', args, env);
const connect = async (connectionString: string, options: pg.ClientConfig = {}) => {
  const client = new pg.Client({ connectionString, ...options });
  client.on('error', () => {});
  await client.connect();
  return client;
};
/** The connection ends at once: while there is one, nothing can be copied. */
const query = (url: string, text: string): Promise<unknown[]> =>
  withClient(url, async (client) => (await client.query({ text, rowMode: 'array' })).rows.flat());
const addUser = (url: string, who: string) =>
  query(url, `insert into app_public.users (email, username) values ('${who}@x.test', '${who}')`);
const users = (url: string) => query(url, 'select username from app_public.users order by 1');
const adminOf = async (branch: string) => (await branches.urls(branch)).admin as string;

test('a branch has the data and grants of the database, and its changes do not affect the database', async () => {
  const made = await db('branch', 'create', 'trial');
  expect(made).toMatchObject({ code: 0, output: expect.stringMatching(/branch trial: \d+\.\d MB in \d+\.\d s/) });
  const listed = await db('branch', 'list');
  expect(listed).toMatchObject({ code: 0, output: expect.stringMatching(/1 branch\n {2}trial .* created 20.* by /) });

  const { owner, authenticator, admin } = JSON.parse((await db('branch', 'url', 'trial', '--json')).output);
  await query(owner, 'alter table app_public.todos add column note text');
  await addUser(admin, 'bob');
  expect(await users(admin)).toEqual(['ada', 'bob']);
  expect(await users(bench.database.adminUrl)).toEqual(['ada']);
  expect(await query(authenticator, 'select current_user')).toEqual(['hedgerow_authenticator']);
  const mayConnect = "select has_database_privilege('hedgerow_tenant', current_database(), 'connect')";
  expect(await query(admin, mayConnect)).toEqual([false]);

  await branches.reset('trial');
  expect(await users(admin)).toEqual(['ada']);
  expect(await db('branch', 'delete', 'trial')).toMatchObject({ code: 2, output: expect.stringContaining('--yes') });
  expect(await db('branch', 'delete', 'trial', '--yes')).toMatchObject({ code: 0 });
  expect(await branches.list()).toEqual([]);
});

test('a branch has the settings of the database and the grants on it', async () => {
  const { adminUrl } = bench.database;
  await query(adminUrl, `grant connect on database ${name} to pg_monitor`);
  await query(adminUrl, `alter database ${name} set search_path = app_public, pg_catalog`);
  await query(adminUrl, `alter role hedgerow_owner in database ${name} set statement_timeout = '7s'`);
  await branches.create('settled');
  const { owner } = await branches.urls('settled');
  expect(await query(owner, 'show search_path')).toEqual(['app_public, pg_catalog']);
  expect(await query(owner, 'show statement_timeout')).toEqual(['7s']);
  const grants = 'select datacl::text from pg_database where datname = current_database()';
  expect(await query(owner, grants)).toEqual(await query(adminUrl, grants));
  await query(adminUrl, `revoke connect on database ${name} from pg_monitor`);
  await branches.drop('settled');
  await query(adminUrl, `alter database ${name} reset all`);
  await query(adminUrl, `alter role hedgerow_owner in database ${name} reset all`);
});

test('other sessions are listed, and terminated only with --disconnect', async () => {
  const other = await connect(bench.database.ownerUrl, { application_name: 'a long report' });
  const [pid] = (await other.query({ text: 'select pg_backend_pid()', rowMode: 'array' })).rows.flat();
  await expect(branches.create('busy')).rejects.toThrow(`pid ${pid}, a long report, as hedgerow_owner, since 20`);
  expect(await branches.list()).toEqual([]);

  const args = ['branch', 'create', 'busy', '--disconnect', '--yes'];
  const inProduction = await bench.checkout.run('dba/cli.ts', args, { ...env, NODE_ENV: 'production' });
  expect(inProduction).toMatchObject({ code: 2, output: expect.stringContaining('--force-production') });
  await other.query('select 1');
  expect(await db(...args)).toMatchObject({ code: 0 });
  await expect(other.query('select 1')).rejects.toThrow();
  await branches.drop('busy');
});

test('a server that keeps reconnecting does not prevent a branch from being created, promoted and deleted', async () => {
  let stopped = false;
  let client: pg.Client | undefined;
  const server = (async () => {
    while (!stopped) {
      client = await connect(bench.database.ownerUrl).catch(() => undefined);
      // Being disconnected is an error, too, and no reason to stop.
      if (client && !stopped) await once(client, 'end').catch(() => {});
    }
  })();
  await branches.create('crowded', { disconnect: true });
  await branches.promote(await branches.promote('crowded', { disconnect: true }), { disconnect: true });
  stopped = true;
  await client?.end();
  await server;
  await client?.end();
  for (const { name } of await branches.list()) await branches.drop(name, { disconnect: true });
});

test('a promoted branch replaces the database, and the replaced database can be promoted back', async () => {
  const { adminUrl } = bench.database;
  await branches.create('next');
  await addUser(await adminOf('next'), 'carol');
  const reader = await connect(await adminOf('next'));
  await expect(branches.promote('next')).rejects.toThrow(`connected to database ${name}_branch_next`);
  await reader.end();
  expect(await users(adminUrl)).toEqual(['ada']);

  expect(await db('branch', 'promote', 'next')).toMatchObject({ code: 2, output: expect.stringContaining('--yes') });
  expect(await db('branch', 'promote', 'next', '--yes')).toMatchObject({ code: 0 });
  expect(await users(adminUrl)).toEqual(['ada', 'carol']);
  const [kept] = await branches.list();
  expect(kept?.name).toMatch(/^before-\d{14}$/);
  expect(await users(await adminOf(kept?.name as string))).toEqual(['ada']);

  const second = await branches.promote(kept?.name as string);
  expect(await users(adminUrl)).toEqual(['ada']);
  await branches.drop(second);
});

test('a database without the mark of a branch is left alone', async () => {
  const root = inDatabase(bench.database.adminUrl, 'postgres');
  const database = `${name}_branch_precious`;
  await query(root, `create database ${database}`);
  await query(root, `comment on database ${database} is '{"name": "precious"}'`);
  for (const act of [branches.drop, branches.reset, branches.promote, branches.urls]) {
    await expect(act('precious')).rejects.toThrow('has no branch precious');
  }
  await expect(branches.create('precious')).rejects.toThrow('choose another name');
  await query(root, `drop database ${database}`);
});

test('the next copy drops the rest of a killed one, marked or not', async () => {
  const root = inDatabase(bench.database.adminUrl, 'postgres');
  const broken = `hedgerow_scratch_${machine}_999999999_0123abcd`;
  await query(root, `create database ${broken}`);
  await branches.create('other');
  expect(await query(root, `select datname from pg_database where datname = '${broken}'`)).toEqual([]);
  await branches.drop('other');
});

test('an admin that may not terminate a connection gets an explanation', async () => {
  const work = () => Promise.reject(Object.assign(new Error('in use'), { code: '55006' }));
  const other = await connect(bench.database.adminUrl);
  await expect(exclusively(bench.database.ownerUrl, [name], { disconnect: true }, work)).rejects.toThrow(
    'may not terminate the connections of postgres',
  );
  await other.query('select 1');
  await other.end();
});

test.each(['a+b', 'a%2Bb', 'ä "q" 🦔', "it's/x"])('database %j keeps its name', (odd) => {
  const url = inDatabase('postgres://u:p%40@[::1]:5433/x?sslmode=disable', odd);
  expect(databaseOf(url)).toBe(odd);
  expect(new pg.Client({ connectionString: url })).toMatchObject({ database: odd, host: '::1', password: 'p@' });
  expect(new URL(url).search).toBe('?sslmode=disable');
});

test('a database with a name of 63 bytes can have branches with distinct names', () => {
  const [one, other] = ['x', 'y'].map((end) => branchDatabase('é'.repeat(31) + end, 'before-20260101000000'));
  expect(Buffer.byteLength(one as string)).toBeLessThanOrEqual(63);
  expect(one).not.toBe(other);
});

test.each(['Big', '-x', 'a b', 'x"; drop database postgres; --', 'x'.repeat(31)])(
  'the branch name %j is refused',
  async (bad) => {
    await expect(branches.create(bad)).rejects.toThrow('lower-case');
  },
);

test('exec runs a command on the branch and forwards its exit code and signals', async () => {
  await branches.create('work');
  const script = `const { DATABASE_URL, DATABASE_URL_DIRECT, ROOT_DATABASE_URL, SHADOW_DATABASE_URL } = process.env;
    const urls = [DATABASE_URL, DATABASE_URL_DIRECT, ROOT_DATABASE_URL, SHADOW_DATABASE_URL].map((url) => new URL(url));
    console.log(...urls.map(({ username, pathname }) => username + pathname));
    process.exit(7);`;
  const { code, output } = await db('branch', 'exec', 'work', '--', process.execPath, '-e', script);
  const branch = `${name}_branch_work`;
  expect(output).toContain(
    `hedgerow_authenticator/${branch} hedgerow_owner/${branch} postgres/${branch} hedgerow_owner/${name}_shadow\n`,
  );
  expect(code).toBe(7);
  const absent = await db('branch', 'shell', 'work', '--', 'no-such-command');
  expect(absent).toMatchObject({ code: 2, output: expect.stringContaining('Cannot run no-such-command') });

  const told = `process.on('SIGTERM', () => { console.log('told'); process.exit(3); });
    console.log('ready');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['dba/cli.ts', 'branch', 'exec', 'work', '--', process.execPath, '-e', told], {
    cwd: bench.checkout.directory,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let words = '';
  child.stdout.on('data', (chunk) => {
    words += chunk;
    if (chunk.includes('ready')) child.kill('SIGTERM');
  });
  expect(await once(child, 'close')).toEqual([3, null]);
  expect(words).toBe('ready\ntold\n');
});

test('the embedded Postgres runs as long as the command of exec', async () => {
  const run = (...args: string[]) => bench.checkout.run('dba/cli.ts', ['branch', ...args]);
  expect(await run('create', 'own')).toMatchObject({ code: 0 });
  const script = `const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
    await client.connect();
    console.log((await client.query('select current_user || current_database() as x')).rows[0].x);
    await client.end();`;
  expect(await run('exec', 'own', '--', process.execPath, '--input-type=module', '-e', script)).toMatchObject({
    code: 0,
    output: expect.stringContaining('hedgerow_authenticatorhedgerow_branch_own\n'),
  });
});
