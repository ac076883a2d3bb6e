import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from 'graphile-migrate';
import { generate } from 'selfsigned';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { postgresUser } from '../../postgres/embedded/binaries.ts';
import { type Cluster, openCluster } from '../../postgres/embedded/cluster.ts';
import { closeMigrateConnections } from '../../postgres/internals/migrateConnections.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { provision } from '../../postgres/target/provision.ts';
import { withClient } from '../../postgres/withClient.ts';
import { openConnections } from '../support/openDatabase.ts';

let directory: string;
let cluster: Cluster;
let ca: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hedgerow-tls-'));
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  });
  ca = join(directory, 'server.crt');
  const keyFile = join(directory, 'server.key');
  await writeFile(ca, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  const user = postgresUser();
  if (user) await chown(keyFile, user.uid, user.gid);
  cluster = await openCluster({
    directory: join(directory, 'postgres'),
    settings: { ssl: 'on', ssl_cert_file: ca, ssl_key_file: keyFile },
  });
});
afterAll(async () => {
  await cluster.close();
  await rm(directory, { recursive: true, force: true });
});

/** The outcome of a connection with these parameters: encrypted or not, or the cause of its failure. */
async function outcome(host: string, parameters: Record<string, string>): Promise<string | undefined> {
  const url = new URL(cluster.adminUrl());
  url.hostname = host;
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const database = openConnections({ serverUrl: url.href, preparedStatements: true });
  try {
    const text = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
    const { rows } = await database.inspect<{ ssl: boolean }>({ text });
    return rows[0]?.ssl ? 'encrypted' : 'in the clear';
  } catch (error) {
    return connectionFault(error)?.cause;
  } finally {
    await database.close();
  }
}

test.each([
  ['127.0.0.1', 'disable', false, 'in the clear'],
  ['127.0.0.1', 'require', false, 'encrypted'],
  ['127.0.0.1', 'verify-ca', true, 'encrypted'],
  ['localhost', 'verify-full', true, 'encrypted'],
  ['127.0.0.1', 'verify-full', true, 'TLS'],
  ['localhost', 'verify-full', false, 'TLS'],
])('%s with sslmode=%s (with the CA: %s) is %s', async (host, sslmode, withCa, expected) => {
  expect(await outcome(host, { sslmode, ...(withCa && { sslrootcert: ca }) })).toBe(expected);
});

test('what a DBA runs takes sslmode as the server does', async () => {
  const url = (text: string) => Object.assign(new URL(text), { search: '?sslmode=require' }).href;
  const ownerUrl = url(cluster.adminUrl().replace(/\/\/.*@(.*)\/.*$/, '//hedgerow_owner:owner@$1/shop'));
  const passwords = { owner: 'owner', authenticator: 'authenticator' };
  await provision({ adminUrl: url(cluster.adminUrl()), databases: ['shop'], passwords });
  // graphile-migrate connects by itself.
  await migrate(await migrateSettings({ ownerUrl, shadowUrl: undefined, adminUrl: undefined }, () => {}));
  const { rows } = await withClient(ownerUrl, (client) =>
    client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()'),
  );
  expect(rows).toEqual([{ ssl: true }]);
  await closeMigrateConnections();
});
