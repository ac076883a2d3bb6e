import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Checkout, copyCheckout } from '../support/checkout.ts';

let checkout: Checkout;
beforeAll(async () => {
  checkout = await copyCheckout();
});
afterAll(() => checkout.remove());

const db = (...args: string[]) => checkout.run('dba/cli.ts', args);
const read = (path: string) => readFile(join(checkout.directory, path), 'utf8');
const committed = () => readdir(join(checkout.directory, 'migrations', 'committed'));

test('a migration goes from current.sql to committed and back', async () => {
  const before = await db('status', '--json');
  expect(before.code).toBe(1);
  const files = await committed();
  expect(JSON.parse(before.output).problems).toEqual(files.map((file) => `migration ${file} has not been applied`));

  expect(await db('migrate')).toMatchObject({ code: 0 });
  expect(await db('status')).toMatchObject({ code: 0, output: expect.stringContaining('matches the files') });

  const sql = 'drop table if exists app_private.notes;\ncreate table app_private.notes (id uuid primary key);\n';
  await writeFile(join(checkout.directory, 'current.sql'), sql);
  expect(await db('watch', '--once')).toMatchObject({ code: 0 });
  expect(await db('status')).toMatchObject({ code: 1, output: expect.stringContaining('app_private.notes') });

  expect(await db('commit', '--message', 'notes')).toMatchObject({ code: 0 });
  expect(await committed()).toEqual([...files, expect.stringMatching(/^\d{6}-notes\.sql$/)]);
  expect(await read('migrations/snapshot.txt')).toContain('table app_private.notes');
  expect((await lstat(join(checkout.directory, 'migrations', 'current.sql'))).isSymbolicLink()).toBe(true);
  expect(await read('current.sql')).not.toContain('notes');
  expect(await db('status')).toMatchObject({ code: 0 });

  expect(await db('uncommit')).toMatchObject({ code: 0 });
  expect(await committed()).toEqual(files);
  expect(await read('current.sql')).toContain(sql.trim());
  expect(await read('migrations/snapshot.txt')).not.toContain('notes');
});

test('reset erases only when told to, and never in production', async () => {
  expect(await db('reset')).toMatchObject({ code: 2, output: expect.stringContaining('--yes') });
  expect((await checkout.run('dba/cli.ts', ['reset', '--yes'], { NODE_ENV: 'production' })).code).toBe(2);
  expect(await db('reset', '--yes')).toMatchObject({ code: 0 });
  expect(await db('status')).toMatchObject({ code: 0 });
});

test('a broken current.sql is an error, and changes nothing', async () => {
  const before = await committed();
  await writeFile(join(checkout.directory, 'current.sql'), 'create table app_private.broken (id nonsense);\n');
  expect((await db('commit')).code).toBe(2);
  expect(await read('current.sql')).toContain('nonsense');
  expect(await committed()).toEqual(before);
  await writeFile(join(checkout.directory, 'current.sql'), '');
});

test('an edited migration is told from an applied one', async () => {
  const [name] = await committed();
  const file = join(checkout.directory, 'migrations', 'committed', name as string);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/^--! Hash: .*$/m, '--! Hash: sha1:0000000000000000000000000000000000000000'));
  expect(await db('status')).toMatchObject({
    code: 1,
    output: expect.stringContaining('was edited after it was applied'),
  });
  await writeFile(file, text);
});

test("graphile-migrate's own command line works with .gmrc", async () => {
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
});

/** The process that holds the embedded Postgres, once there is one. */
async function holder(): Promise<number> {
  for (;;) {
    const [pid] = await readdir(join(checkout.directory, '.data', 'postgres', 'users'));
    if (pid) return Number(pid);
    await sleep(20);
  }
}

test('a database of one’s own needs its direct connection', async () => {
  const env = { DATABASE_URL: 'postgres://hedgerow_authenticator:secret-word@localhost/x' };
  const { code, output } = await checkout.run('dba/cli.ts', ['migrate'], env);
  expect(code).toBe(2);
  expect(output).toContain('DATABASE_URL_DIRECT');
  expect(output).not.toContain('secret-word');
});
