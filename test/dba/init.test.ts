import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, openCluster } from '../../postgres/embedded/cluster.ts';
import { withClient } from '../../postgres/withClient.ts';
import { type Checkout, copyCheckout } from '../support/checkout.ts';

let directory: string;
let cluster: Cluster;
let checkout: Checkout;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hedgerow-cluster-'));
  [cluster, checkout] = await Promise.all([openCluster({ directory }), copyCheckout()]);
});
afterAll(async () => {
  await cluster.close();
  await Promise.all([rm(directory, { recursive: true, force: true }), checkout.remove()]);
});

const query = (url: string, text: string) => withClient(url, (client) => client.query(text));

test('an admin without superuser rights creates roles and databases, twice', async () => {
  await query(cluster.adminUrl(), "create role admin login createrole createdb password 'admin'");
  await query(cluster.adminUrl(), 'grant create on database postgres to admin');
  const url = (user: string, database: string) => `postgres://${user}@127.0.0.1:${cluster.port}/${database}`;
  const env = {
    ROOT_DATABASE_URL: url('admin:admin', 'postgres'),
    DATABASE_URL_DIRECT: url('hedgerow_owner:owner%20word', 'shop'),
    DATABASE_URL: url('hedgerow_authenticator:server-word', 'shop'),
    SHADOW_DATABASE_URL: url('hedgerow_owner:owner%20word', 'shop_shadow'),
  };
  for (const _time of ['first', 'second']) {
    const { code, output } = await checkout.run('dba/cli.ts', ['init'], env);
    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('Done.') });
    expect(output).not.toMatch(/word/);
  }
  expect(await checkout.run('dba/cli.ts', ['migrate'], env)).toMatchObject({ code: 0 });
  expect(await checkout.run('dba/cli.ts', ['status'], env)).toMatchObject({ code: 0 });

  const { rows } = await query(
    cluster.adminUrl(),
    "select rolname, rolcanlogin, rolinherit from pg_roles where rolname like 'hedgerow%' and (rolsuper or rolbypassrls or rolcreatedb or rolcreaterole) is not true order by 1",
  );
  expect(rows).toEqual([
    { rolname: 'hedgerow_auth', rolcanlogin: false, rolinherit: false },
    { rolname: 'hedgerow_authenticator', rolcanlogin: true, rolinherit: false },
    { rolname: 'hedgerow_owner', rolcanlogin: true, rolinherit: false },
    { rolname: 'hedgerow_tenant', rolcanlogin: false, rolinherit: false },
  ]);
  await expect(query(env.DATABASE_URL, 'select * from app_public.todos')).rejects.toMatchObject({ code: '42501' });
  await expect(query(env.DATABASE_URL, 'create temporary table t ()')).rejects.toMatchObject({ code: '42501' });
});

test.each(['a\u00adb', 'a\u200bb', 'a\u200d\u00a0b', 'ﬁne ①', 'ﬆ\ufe0f', '密码 パス'])(
  'the password %j, with invisible or unusual characters, connects',
  async (password) => {
    const url = (user: string) =>
      `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${cluster.port}/secrets`;
    const env = {
      ROOT_DATABASE_URL: cluster.adminUrl(),
      DATABASE_URL_DIRECT: url('hedgerow_owner'),
      DATABASE_URL: url('hedgerow_authenticator'),
    };
    expect(await checkout.run('dba/cli.ts', ['init'], env)).toMatchObject({ code: 0 });
    // Postgres makes the same of it as the verifier that init has set.
    await query(cluster.adminUrl(), `alter role hedgerow_owner password '${password}'`);
    await query(env.DATABASE_URL_DIRECT, 'select');
  },
);

test('init refuses a password that clients normalize differently', async () => {
  const refused = [
    ['\u00ad', 'The password of hedgerow_owner consists of invisible characters only.'],
    ['ﬁ\u0007', 'Choose a password of letters, digits and punctuation.'],
  ] as const;
  for (const [password, message] of refused) {
    const word = encodeURIComponent(password);
    const env = {
      ROOT_DATABASE_URL: cluster.adminUrl(),
      DATABASE_URL_DIRECT: `postgres://hedgerow_owner:${word}@127.0.0.1:${cluster.port}/secrets`,
      DATABASE_URL: `postgres://hedgerow_authenticator:word@127.0.0.1:${cluster.port}/secrets`,
    };
    const { code, output } = await checkout.run('dba/cli.ts', ['init'], env);
    expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining(message) });
  }
});

test('a byte order mark in .env hides no variable', async () => {
  const file = join(checkout.directory, '.env');
  const text = '\ufeffDATABASE_URL_DIRECT=postgres://hedgerow_owner@127.0.0.1:1/first\r\n';
  for (const encoding of ['utf8', 'utf16le'] as const) {
    await writeFile(file, text, encoding);
    expect((await checkout.run('dba/cli.ts', ['status'])).output).toMatch(/ECONNREFUSED 127.0.0.1:1/);
  }
  await rm(file);
});

test('init lists the missing variables', async () => {
  const { code, output } = await checkout.run('dba/cli.ts', ['init']);
  expect(code).toBe(2);
  for (const name of ['ROOT_DATABASE_URL', 'DATABASE_URL_DIRECT', 'DATABASE_URL']) expect(output).toContain(name);
});
