import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext, TLSSocket } from 'node:tls';
import { migrate } from 'graphile-migrate';
import type { Logger } from 'pino';
import { generate } from 'selfsigned';
import { postgresUser } from '../../postgres/embedded/binaries.ts';
import { type Cluster, openCluster } from '../../postgres/embedded/cluster.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { provision } from '../../postgres/target/provision.ts';
import { withClient } from '../../postgres/withClient.ts';
import { Listener } from '../../server/tenancy/listener.ts';
import type { Database } from '../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';

let directory: string;
let cluster: Cluster;
let plain: TestDatabase;
let terminator: Server;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hedgerow-binding-'));
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {});
  const [certFile, keyFile] = [join(directory, 'server.crt'), join(directory, 'server.key')];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  const user = postgresUser();
  if (user) await Promise.all([directory, keyFile].map((path) => chown(path, user.uid, user.gid)));
  cluster = await openCluster({
    directory: join(directory, 'postgres'),
    settings: { ssl: 'on', ssl_cert_file: certFile, ssl_key_file: keyFile, unix_socket_directories: directory },
  });
  await withClient(cluster.adminUrl(), async (admin) => {
    await admin.query("set password_encryption = 'md5'; create role hashed login password 'word'");
    await admin.query("set password_encryption = 'scram-sha-256'; create role clear login password 'word'");
    await admin.query("create role trusted login; create role encrypted login password 'word'");
    const rules = join(directory, 'postgres', 'data', 'pg_hba.conf');
    const before = await readFile(rules, 'utf8');
    await writeFile(rules, 'host all trusted all trust\nhost all clear all password\nhost all hashed all md5\n');
    await appendFile(rules, `hostnossl all encrypted all reject\n${before}`);
    await admin.query('select pg_reload_conf()');
  });
  plain = await createTestDatabase();
  terminator = await terminateTls(new URL(plain.adminUrl), cert, key);
});
afterAll(async () => {
  terminator.close();
  await plain.drop();
  await cluster.close();
  await rm(directory, { recursive: true, force: true });
});

/** A proxy that ends TLS with a certificate of its own, as one in the middle would. */
async function terminateTls({ port }: URL, cert: string, key: string): Promise<Server> {
  const secureContext = createSecureContext({ cert, key });
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, secureContext });
      const behind = connect(Number(port), '127.0.0.1');
      secure.pipe(behind).pipe(secure);
      secure.on('error', () => behind.destroy());
      behind.on('error', () => secure.destroy());
    });
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function urlOf(user: string, parameters: string, port: number = cluster.port): string {
  return `postgres://${user}@127.0.0.1:${port}/postgres?${parameters}`;
}

const ssl = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';

/** Runs a statement through the server's pool: whether the connection is encrypted, or why there is none. */
async function throughPool(serverUrl: string): Promise<unknown> {
  const database = openConnections({ serverUrl, preparedStatements: true });
  try {
    return (await database.inspect<{ ssl: boolean }>({ text: ssl })).rows[0]?.ssl;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await database.close();
  }
}

/** Runs a statement as DBA commands do. */
async function throughCommand(url: string): Promise<unknown> {
  try {
    return (await withClient(url, (client) => client.query(ssl))).rows[0].ssl;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Listens as the server does for subscriptions: whether the connection is encrypted, or why there is none. */
async function throughListener(url: string): Promise<unknown> {
  const refused = Promise.withResolvers<string>();
  const listener = new Listener({
    url,
    // The check that notifications arrive needs a connection of its own.
    database: { inspect: async () => ({ rows: [] }) } as unknown as Database,
    log: { info() {}, warn: ({ err }: { err: Error }) => refused.resolve(err.message) } as unknown as Logger,
    notified() {},
    reconnected() {},
    gap() {},
  });
  const user = randomUUID();
  try {
    const held = listener.hold(user).then(() => true);
    const outcome = await Promise.race([held, refused.promise]);
    return outcome === true ? await isListenerEncrypted(url) : outcome;
  } finally {
    listener.release(user);
  }
}

/** Asks the server about the newest connection that listens. */
async function isListenerEncrypted(url: string): Promise<unknown> {
  const adminUrl = new URL(url).port === String(cluster.port) ? cluster.adminUrl() : plain.adminUrl;
  const { rows } = await withClient(adminUrl, (admin) =>
    admin.query(`select ssl from pg_stat_ssl join pg_stat_activity using (pid)
      where application_name = 'hedgerow listener' and datname = current_database() order by backend_start desc limit 1`),
  );
  return rows[0]?.ssl;
}

const ways = [
  ['the pool', throughPool],
  ['the listener connection', throughListener],
  ['a DBA command', throughCommand],
] as const;

describe.each(ways)('%s with channel_binding=require', (_name, outcome) => {
  const binding = 'sslmode=require&channel_binding=require';

  test('connects with SCRAM over TLS', async () => {
    const { username, password } = new URL(cluster.adminUrl());
    expect(await outcome(urlOf(`${username}:${password}`, binding))).toBe(true);
    expect(await outcome(urlOf(`${username}:${password}`, 'channel_binding=require'))).toBe(true);
    expect(await outcome(urlOf(`${username}:${password}`, `sslmode=prefer&channel_binding=require`))).toBe(true);
  });

  test.each([
    ['trusts the user', 'trusted', /let the client in without channel binding/],
    ['asks for the password in the clear', 'clear:word', /asks for the password without channel binding/],
    ['asks for an MD5 hash', 'hashed:word', /asks for the password without channel binding/],
  ])('refuses a server that %s', async (_how, user, expected) => {
    expect(await outcome(urlOf(user, 'sslmode=require'))).toBe(true);
    expect(await outcome(urlOf(user, binding))).toMatch(expected);
  });

  test('refuses a server without TLS', async () => {
    expect(await outcome(`${plain.adminUrl}?channel_binding=require`)).toMatch(/does not support SSL/);
  });

  test('refuses a proxy that ends TLS', async () => {
    const url = new URL(plain.adminUrl);
    url.port = String((terminator.address() as AddressInfo).port);
    expect(await outcome(`${url}?sslmode=require`)).toBe(false);
    expect(await outcome(`${url}?sslmode=require&channel_binding=require`)).toMatch(
      /does not offer SCRAM-SHA-256-PLUS/,
    );
  });

  test('is refused beside sslmode=disable, before connecting', async () => {
    const refused = async () => outcome(urlOf('postgres', 'sslmode=disable&channel_binding=require', 1));
    expect(await refused().catch((error) => error.message)).toMatch(/needs TLS, and sslmode=disable/);
  });
});

test('graphile-migrate keeps channel_binding=require', async () => {
  const owner = (password: string, parameters: string) =>
    urlOf(`hedgerow_owner:${password}`, parameters).replace('/postgres?', '/shop?');
  const passwords = { owner: 'owner', authenticator: 'authenticator' };
  await provision({ adminUrl: cluster.adminUrl(), databases: ['shop'], passwords });
  const apply = async (ownerUrl: string) =>
    migrate(await migrateSettings({ ownerUrl, shadowUrl: undefined, adminUrl: undefined }, () => {}));
  await apply(owner('owner', 'channel_binding=require'));
  await withClient(cluster.adminUrl(), (admin) => admin.query('alter role hedgerow_owner rename to trusted_owner'));
  await withClient(cluster.adminUrl(), (admin) => admin.query('alter role trusted rename to hedgerow_owner'));
  const rules = join(directory, 'postgres', 'data', 'pg_hba.conf');
  await writeFile(rules, `host all hedgerow_owner all trust\n${await readFile(rules, 'utf8')}`);
  await withClient(cluster.adminUrl(), (admin) => admin.query('select pg_reload_conf()'));
  // The server reads its rules when it gets to it.
  const until = performance.now() + 30_000;
  let message = '';
  while (!/without channel binding/.test(message) && performance.now() < until) {
    message = await apply(owner('word', 'channel_binding=require')).then(
      () => '',
      (error) => error.message,
    );
    await sleep(250);
  }
  expect(message).toMatch(/without channel binding/);
}, 120_000);

describe('sslmode', () => {
  test.each(['prefer', 'allow'])('%s connects without TLS to a server that has none', async (sslmode) => {
    expect(await throughPool(`${plain.adminUrl}?sslmode=${sslmode}`)).toBe(false);
    expect(await throughCommand(`${plain.adminUrl}?sslmode=${sslmode}`)).toBe(false);
  });

  test.each(['prefer', 'allow'])('%s encrypts if the server offers TLS', async (sslmode) => {
    expect(await throughPool(urlOf('encrypted:word', `sslmode=${sslmode}`))).toBe(true);
    expect(await throughCommand(urlOf('encrypted:word', `sslmode=${sslmode}`))).toBe(true);
  });

  test('prefer reports a server that does not answer in time', async () => {
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = urlOf('postgres', 'sslmode=prefer', (silent.address() as AddressInfo).port);
    const database = openConnections({ serverUrl: url, preparedStatements: true }, { timeout: 1, retryTime: 0.1 });
    await expect(database.inspect({ text: 'select' })).rejects.toThrow(/timeout/);
    await database.close();
    silent.close();
  });
});

test('the forms that libpq has for a Unix-domain socket connect', async () => {
  const { username, password } = new URL(cluster.adminUrl());
  const socket = encodeURIComponent(directory);
  for (const url of [
    `postgres://${username}:${password}@/postgres?host=${directory}&port=${cluster.port}`,
    `postgres:///postgres?host=${directory}&port=${cluster.port}&user=${username}&password=${password}`,
    `postgres://${username}:${password}@:${cluster.port}/postgres?host=${socket}`,
    `postgres://${username}:${password}@${socket}:${cluster.port}/?dbname=postgres&sslmode=require`,
  ]) {
    expect(await throughPool(url)).toBe(false);
    expect(await throughCommand(url)).toBe(false);
  }
});
