import { lstat, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, openCluster } from '../../postgres/embedded/cluster.ts';
import { type Checkout, copyCheckout } from '../support/checkout.ts';

let checkout: Checkout;
let cluster: Cluster;
beforeAll(async () => {
  checkout = await copyCheckout();
  // The one that the verbs start where there is none; they are faster when it runs already.
  cluster = await openCluster({ directory: join(checkout.directory, '.data', 'postgres'), settings: { fsync: 'off' } });
});
afterAll(async () => {
  await cluster.close();
  await checkout.remove();
});

const db = (...args: string[]) => checkout.run('dba/cli.ts', args);
const read = (path: string) => readFile(join(checkout.directory, path), 'utf8');
const writeCurrent = (sql: string) => writeFile(join(checkout.directory, 'current.sql'), sql);
const committed = () => readdir(join(checkout.directory, 'migrations', 'committed'));

test('commit moves current.sql to migrations/committed, and uncommit moves it back', async () => {
  const names = await committed();
  const before = await db('status', '--json');
  expect(before.code).toBe(1);
  expect(JSON.parse(before.output).problems).toEqual(names.map((name) => `migration ${name} has not been applied`));

  expect(await db('migrate')).toMatchObject({ code: 0 });
  expect(await db('status')).toMatchObject({ code: 0, output: expect.stringContaining('matches the files') });

  const sql = 'drop table if exists app_private.notes;\ncreate table app_private.notes (id uuid primary key);\n';
  await writeCurrent(sql);
  expect(await db('watch', '--once')).toMatchObject({ code: 0 });
  expect(await db('status')).toMatchObject({ code: 1, output: expect.stringContaining('app_private.notes') });

  expect(await db('commit', '--message', 'notes')).toMatchObject({ code: 0 });
  const added = (await committed()).filter((name) => !names.includes(name));
  expect(added).toEqual([expect.stringMatching(/^\d{6}-notes\.sql$/)]);
  expect(await read('migrations/snapshot.txt')).toContain('table app_private.notes');
  expect((await lstat(join(checkout.directory, 'migrations', 'current.sql'))).isSymbolicLink()).toBe(true);
  expect(await read('current.sql')).not.toContain('notes');
  expect(await db('status')).toMatchObject({ code: 0 });

  expect(await db('uncommit')).toMatchObject({ code: 0 });
  expect(await committed()).toEqual(names);
  expect(await read('current.sql')).toContain(sql.trim());
  expect(await read('migrations/snapshot.txt')).not.toContain('notes');
}, 120_000);

test('reset needs a confirmation, and a second one in production', async () => {
  expect(await db('reset')).toMatchObject({ code: 2, output: expect.stringContaining('--yes') });
  expect((await checkout.run('dba/cli.ts', ['reset', '--yes'], { NODE_ENV: 'production' })).code).toBe(2);
  expect(await db('reset', '--yes')).toMatchObject({ code: 0 });
  expect(await db('status')).toMatchObject({ code: 0 });
}, 120_000);

test('a broken current.sql fails with its location and changes nothing', async () => {
  const names = await committed();
  const sql =
    '--! Message: kept\n--! include functions/app_private.set_updated_at.sql\ncreate table app_private.broken (id nonsense);\n';
  await writeCurrent(sql);
  for (const verb of [['watch', '--once'], ['lint'], ['commit']]) {
    const { code, output } = await db(...verb);
    expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining('type "nonsense" does not exist') });
    expect(output).toMatch(/Error occurred at line \d+, column \d+ of/);
    expect(output).not.toMatch(/^ +at /m);
  }
  expect(await read('current.sql')).toBe(sql);
  expect(await committed()).toEqual(names);
  await writeCurrent('--! include of/nothing.sql\n');
  for (const verb of ['commit', 'check-chain', 'status']) {
    expect(await db(verb)).toMatchObject({ code: 2, output: expect.not.stringMatching(/^ +at /m) });
  }
  await rm(join(checkout.directory, 'current.sql'));
  expect(await db('commit')).toMatchObject({ code: 2, output: expect.stringContaining('current.sql is blank') });
  expect(await db('status')).toMatchObject({ code: 0 });
}, 120_000);

test('watch --once exits with 1 for lint errors, and refuses production', async () => {
  await writeCurrent('drop table if exists app_public.bare;\ncreate table app_public.bare (id uuid primary key);\n');
  expect(await db('watch', '--once')).toMatchObject({ code: 1, output: expect.stringContaining('rls-not-enabled') });
  await writeCurrent('drop table if exists app_public.bare;\n');
  expect(await db('watch', '--once')).toMatchObject({ code: 0 });
  const production = { NODE_ENV: 'production', DATABASE_URL_DIRECT: 'postgres://hedgerow_owner@127.0.0.1:1/x' };
  expect(await checkout.run('dba/cli.ts', ['watch', '--once'], production)).toMatchObject({
    code: 2,
    output: expect.stringContaining('watch does not run with NODE_ENV=production'),
  });
  await writeCurrent('');
}, 120_000);

test('commit refuses a schema that no server could serve', async () => {
  const names = await committed();
  const sql = `create type app_public.mood as enum ('glad');
create table app_public.moods (user_id uuid, mood app_public.mood);
grant select on app_public.moods to hedgerow_tenant;
`;
  await writeCurrent(sql);
  expect(await db('commit')).toMatchObject({
    code: 2,
    output: expect.stringMatching(
      /No server could start with this migration\. app_public\.moods: .*docs\/lint\/api-not-buildable\.md/,
    ),
  });
  expect(await read('current.sql')).toBe(sql);
  expect(await committed()).toEqual(names);
  await writeCurrent('');
}, 120_000);

test('a commit that is killed and repeated creates one migration', async () => {
  const sql = 'drop table if exists app_private.once;\n';
  await writeCurrent(sql);
  expect(await db('commit', '-m', 'once')).toMatchObject({ code: 0 });
  const names = await committed();
  // As it is where the process ends before it has emptied current.sql.
  await writeCurrent(sql);
  expect(await db('commit', '-m', 'once')).toMatchObject({
    code: 2,
    output: expect.stringMatching(
      /current\.sql equals migrations\/committed\/\d+-once\.sql: a commit was interrupted\./,
    ),
  });
  expect(await db('uncommit')).toMatchObject({ code: 2, output: expect.stringContaining('current.sql is not empty') });
  expect(await committed()).toEqual(names);
  await writeCurrent('');
  expect(await db('uncommit')).toMatchObject({ code: 0 });
  await writeCurrent('');
}, 120_000);

test('status distinguishes an edited migration from an applied one', async () => {
  const [name] = await committed();
  const file = join(checkout.directory, 'migrations', 'committed', name as string);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/^--! Hash: .*$/m, '--! Hash: sha1:0000000000000000000000000000000000000000'));
  expect(await db('status')).toMatchObject({
    code: 1,
    output: expect.stringContaining('was edited after it was applied'),
  });
  await writeFile(file, text);
}, 120_000);

test("graphile-migrate's own CLI works with .gmrc", async () => {
  const watching = checkout.run('dba/cli.ts', ['watch']);
  const watcher = await holder();
  const { output } = await db('env');
  const env = Object.fromEntries(
    [...output.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]),
  );
  const status = await checkout.run('node_modules/graphile-migrate/dist/cli.js', ['status'], env);
  expect(status).toMatchObject({ code: 0, output: expect.stringContaining('Up to date') });
  process.kill(watcher, 'SIGINT');
  expect(await watching).toMatchObject({ code: 0 });
}, 120_000);

test('watch ends on a signal, even if its folder was deleted', async () => {
  const gone = await copyCheckout();
  const watching = gone.start('dba/cli.ts', ['watch']);
  await watching.line(/Finished/);
  const postmaster = join(gone.directory, '.data', 'postgres', 'data', 'postmaster.pid');
  const [postgres] = (await readFile(postmaster, 'utf8')).split('\n');
  // Postgres goes on writing to it, and is not asked.
  const away = `${gone.directory}.gone`;
  await rename(gone.directory, away);
  try {
    expect(await watching.stop()).toBe(0);
  } finally {
    await watching.stop('SIGKILL');
    process.kill(Number(postgres), 'SIGQUIT');
    await rm(away, { recursive: true, maxRetries: 10 });
  }
}, 120_000);

/** The process beside this one that holds the embedded Postgres, once there is one. */
async function holder(): Promise<number> {
  for (;;) {
    const users = await readdir(join(checkout.directory, '.data', 'postgres', 'users'));
    const pid = users.find((user) => user !== String(process.pid));
    if (pid) return Number(pid);
    await sleep(20);
  }
}

test('an external database needs DATABASE_URL_DIRECT', async () => {
  const env = { DATABASE_URL: 'postgres://hedgerow_authenticator:secret-word@localhost/x' };
  const { code, output } = await checkout.run('dba/cli.ts', ['migrate'], env);
  expect(code).toBe(2);
  expect(output).toContain('DATABASE_URL_DIRECT');
  expect(output).not.toContain('secret-word');
}, 120_000);

test('an invalid connection string is reported by its variable, without its value', async () => {
  for (const url of ['hedgerow', 'postgres://hedgerow_owner:secret%word@127.0.0.1/x']) {
    const env = { ROOT_DATABASE_URL: url, DATABASE_URL_DIRECT: url, DATABASE_URL: url };
    for (const verb of ['migrate', 'init']) {
      const { code, output } = await checkout.run('dba/cli.ts', [verb], env);
      expect({ code, output }).toEqual({
        code: 2,
        output: expect.stringMatching(/^\w+_URL\w* cannot be read\. It must/),
      });
      expect(output).not.toContain('secret');
    }
  }
}, 120_000);
