import { copyFile, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { makeBackup } from '../../../dba/backup/make.ts';
import { readManifest } from '../../../dba/backup/manifest.ts';
import { readState, restoreBackup } from '../../../dba/backup/restore.ts';
import { verifyBackup } from '../../../dba/backup/verify.ts';
import { openBranches } from '../../../dba/branches/branches.ts';
import { machine } from '../../../postgres/target/scratch.ts';
import { openTarget } from '../../../postgres/target/target.ts';
import { type Checkout, copyCheckout } from '../../support/checkout.ts';
import { type SystemPostgres, startSystemPostgres, systemBin } from '../../support/systemPostgres.ts';

const bin = systemBin();
if (bin) describe('with a Postgres of the system', () => backups(bin));
else test('without one a backup says what to install', refused);

async function refused(): Promise<void> {
  const checkout = await copyCheckout();
  try {
    const { code, output } = await checkout.run('dba/cli.ts', ['backup', 'x'], { PG_BIN: checkout.directory });
    expect({ code, output }).toEqual({
      code: 2,
      output: expect.stringContaining('pg_dump and pg_restore are not in PG_BIN'),
    });
  } finally {
    await checkout.remove();
  }
}

function backups(bin: string): void {
  let postgres: SystemPostgres;
  let checkout: Checkout;
  let file: string;
  beforeAll(async () => {
    [postgres, checkout] = await Promise.all([startSystemPostgres(bin), copyCheckout()]);
    await postgres.prepare('shop');
    await postgres.query(
      'shop',
      "insert into app_public.users (email, username) values ('ada@x.test', 'ada'), ('bob@x.test', 'bob')",
    );
    file = join(checkout.directory, 'shop.backup');
  });
  afterAll(async () => {
    await postgres.stop();
    await checkout.remove();
  });

  const env = (server = postgres) => ({
    ROOT_DATABASE_URL: server.url('postgres', 'postgres'),
    DATABASE_URL_DIRECT: server.url('hedgerow_owner', 'shop'),
    DATABASE_URL: server.url('hedgerow_authenticator', 'shop'),
  });
  const target = (more: NodeJS.ProcessEnv = {}) => openTarget({ ...env(), ...more });
  const db = (args: string[], more: NodeJS.ProcessEnv = env()) => checkout.run('dba/cli.ts', args, more);
  const backUp = async (to: string, more: NodeJS.ProcessEnv = {}) => makeBackup(await target(more), to, false);
  const restore = async (from: string) => {
    const into = await target();
    return restoreBackup(into, await readState(into), {
      file: from,
      manifest: await readManifest(from),
      disconnect: false,
    });
  };
  const users = (server = postgres) => server.query('shop', 'select username from app_public.users order by 1');
  const databases = (server = postgres) =>
    server.query('postgres', "select datname from pg_database where datname ~ 'shop|scratch' order by 1");

  test('a backup is verified and restored, and the replaced database is kept as a branch', async () => {
    // Somebody writes once the backup has begun; and what else is in pg_dump's arguments?
    const PG_BIN = join(checkout.directory, 'bin');
    await mkdir(PG_BIN);
    await symlink(join(bin, 'pg_restore'), join(PG_BIN, 'pg_restore'));
    const late = "insert into app_public.users (email, username) values ('late@x.test', 'late')";
    await writeFile(
      join(PG_BIN, 'pg_dump'),
      `#!/bin/sh
[ "$1" = --version ] || { echo "$*" > ${PG_BIN}/arguments; ${bin}/psql "${postgres.url('postgres', 'shop')}" -qc "${late}"; }
exec ${bin}/pg_dump "$@"`,
      { mode: 0o755 },
    );
    const bare = new URL(env().ROOT_DATABASE_URL);
    // Not searchParams, which write + for a space: in a connection string it is a plus sign.
    bare.search = `?password=${encodeURIComponent(postgres.password)}`;
    bare.password = '';
    const made = await db(['backup', file], { ...env(), PG_BIN, ROOT_DATABASE_URL: bare.href });
    expect(made).toMatchObject({ code: 0, output: expect.stringMatching(/rows in \d+ tables/) });
    expect(await users()).toEqual(['ada', 'bob', 'late']);
    const given = await readFile(join(PG_BIN, 'arguments'), 'utf8');
    expect(given).toContain('postgres@127.0.0.1');
    expect(given + made.output).not.toContain('hush');
    for (const path of [file, `${file}.json`]) expect((await stat(path)).mode & 0o777).toBe(0o600);
    const { tables } = await readManifest(file);
    expect(tables).toContainEqual({ table: 'app_public.users', rows: 2, checksum: expect.stringMatching(/^-?\d+$/) });

    const verified = await db(['backup', 'verify', file, '--no-attacks']);
    expect(verified).toMatchObject({ code: 0, output: expect.stringContaining('all as in the manifest') });
    expect(await databases()).toEqual(['shop']);

    const refused = await db(['restore', file, '--yes']);
    expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('--replace') });
    const reader = new pg.Client({ connectionString: postgres.url('postgres', 'shop'), application_name: 'a reader' });
    await reader.connect();
    await expect(restore(file)).rejects.toThrow('a reader');
    await reader.end();
    expect(await databases()).toEqual(['shop']);

    expect(await db(['restore', file, '--replace', '--yes'])).toMatchObject({ code: 0 });
    expect(await users()).toEqual(['ada', 'bob']);
    expect(await db(['status'])).toMatchObject({ code: 0 });
    await postgres.query('shop', 'create role visitor in role hedgerow_owner');
    expect(await db(['status'])).toMatchObject({
      code: 1,
      output: expect.stringContaining('role visitor is a member'),
    });
    await postgres.query('shop', 'drop role visitor');
    await postgres.query('shop', 'grant hedgerow_owner to hedgerow_tenant');
    const member = 'not in migrations/snapshot.txt: role hedgerow_tenant is a member of hedgerow_owner';
    expect(await db(['status'])).toMatchObject({ code: 1, output: expect.stringContaining(member) });
    await postgres.query('shop', 'revoke hedgerow_owner from hedgerow_tenant');
    const forced =
      "select relrowsecurity and relforcerowsecurity from pg_class where oid = 'app_public.todos'::regclass";
    expect(await postgres.query('shop', forced)).toEqual([true]);
    const branches = openBranches(await target());
    const [kept] = await branches.list();
    const { owner } = await branches.urls(kept?.name as string);
    const before = await postgres.query(
      new URL(owner).pathname.slice(1),
      'select username from app_public.users order by 1',
    );
    expect(before).toEqual(['ada', 'bob', 'late']);
    await branches.drop(kept?.name as string);
  }, 180_000);

  test('backup refuses to overwrite a file, and refuses a role that cannot see all rows', async () => {
    const before = await stat(file);
    await expect(backUp(file)).rejects.toThrow('--force');
    const other = join(checkout.directory, 'other.backup');
    const asOwner = { ROOT_DATABASE_URL: postgres.url('hedgerow_owner', 'postgres') };
    await expect(backUp(other, asOwner)).rejects.toThrow('BYPASSRLS');
    const without = await db(['backup', other], { ...env(), PG_BIN: checkout.directory });
    const words = `The server is Postgres ${postgres.major}, and pg_dump and pg_restore are not in PG_BIN`;
    expect(without).toMatchObject({ code: 2, output: expect.stringContaining(words) });

    // Row-level security does not bind it, and it may not read the tables.
    await postgres.query('shop', `create role reader login bypassrls password '${postgres.password}'`);
    await postgres.query('shop', 'grant connect on database shop to reader');
    const asReader = { ...env(), ROOT_DATABASE_URL: postgres.url('reader', 'postgres') };
    const failed = await db(['backup', file, '--force'], asReader);
    expect(failed).toMatchObject({ code: 2, output: expect.stringContaining('permission denied') });
    expect((await stat(file)).mtimeMs).toBe(before.mtimeMs);
    const files = (await readdir(checkout.directory)).filter((name) => name.includes('.backup'));
    expect(files).toEqual(['shop.backup', 'shop.backup.json']);

    await writeFile(`${file}.${machine}_999999999.partial`, 'of one that was killed');
    await makeBackup(await target(), file, true);
    expect((await stat(file)).mtimeMs).toBeGreaterThan(before.mtimeMs);
    expect((await readdir(checkout.directory)).filter((name) => name.includes('.backup'))).toEqual(files);
  });

  test('a damaged backup is detected and not restored', async () => {
    const bad = join(checkout.directory, 'bad.backup');
    await copyFile(file, bad);
    await expect(readManifest(bad)).rejects.toThrow(/Cannot read .*bad\.backup\.json/);

    // A manifest of another day: as many users, and not the same.
    const { tables, ...rest } = await readManifest(file);
    const others = tables
      .filter(({ table }) => table !== 'app_public.lists')
      .map((one) => (one.table === 'app_public.users' ? { ...one, checksum: '1' } : one));
    others.push({ table: 'app_public.gone', rows: 3, checksum: '5' });
    await writeFile(`${bad}.json`, JSON.stringify({ ...rest, tables: others }));
    const { code, output } = await db(['backup', 'verify', bad, '--no-attacks', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(output).differences).toEqual([
      'table app_public.users has 2 rows as expected, but other values',
      'table app_public.gone is missing',
      'table app_public.lists is not in the manifest',
    ]);
    await expect(restore(bad)).rejects.toThrow('app_public.users has 2 rows as expected, but other values');
    expect(await databases()).toEqual(['shop']);

    const bytes = await readFile(bad);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100);
    await writeFile(bad, bytes);
    await expect(restore(bad)).rejects.toThrow('SHA-256');
    expect(await users()).toEqual(['ada', 'bob']);
  });

  test('data written to an empty database during its restore is kept', async () => {
    const into = await target();
    const manifest = await readManifest(file);
    const kept = await restoreBackup(into, { prepared: true, empty: true }, { file, manifest, disconnect: false });
    expect(kept).toMatch(/^before-/);
    expect(await databases()).toEqual(['shop', `shop_branch_${kept}`]);
    await openBranches(into).drop(kept as string);
  });

  test('verify inspects the restored database and finds an open policy', async () => {
    const open = join(checkout.directory, 'open.backup');
    await postgres.query('shop', 'alter policy select_own on app_public.todos using (true)');
    await backUp(open);
    await postgres.query(
      'shop',
      'alter policy select_own on app_public.todos using (user_id = (select app_public.current_user_id()))',
    );
    expect(await verifyBackup(await target(), open, await readManifest(open), true)).toMatchObject({
      differences: [],
      findings: expect.arrayContaining([
        expect.objectContaining({ level: 'error', object: expect.stringContaining('select_own on app_public.todos') }),
        expect.objectContaining({ rule: 'isolation', level: 'error', object: 'app_public.todos' }),
      ]),
    });
  }, 120_000);

  test('restore creates roles and the database on a new server', async () => {
    const fresh = await startSystemPostgres(bin);
    try {
      const { DATABASE_URL, ...without } = env(fresh);
      const refused = await db(['restore', file, '--yes'], without);
      expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('DATABASE_URL') });
      expect(await db(['restore', file, '--yes'], { ...without, DATABASE_URL })).toMatchObject({ code: 0 });
      expect(await users(fresh)).toEqual(['ada', 'bob']);
      expect(await databases(fresh)).toEqual(['shop']);
      const policies = "select count(*)::int from pg_policies where roles = '{hedgerow_tenant}'";
      expect(await fresh.query('shop', policies)).toEqual(await postgres.query('shop', policies));

      const elsewhere = { ...env(fresh), ROOT_DATABASE_URL: postgres.url('postgres', 'postgres') };
      for (const verb of [
        ['branch', 'list'],
        ['restore', file, '--replace', '--yes'],
      ]) {
        expect(await db(verb, elsewhere)).toMatchObject({
          code: 2,
          output: expect.stringContaining('different servers'),
        });
      }
    } finally {
      await fresh.stop();
    }
  }, 180_000);
}
