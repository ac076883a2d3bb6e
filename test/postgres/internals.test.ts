import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { root } from '../../common/root.ts';
import * as internals from '../../postgres/internals/nodePostgres.ts';
import { disableTls } from '../../postgres/internals/tlsFallback.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** Versions of packages whose undocumented parts are used. Read those parts again before you change a version here. */
const versions = {
  jest: '30.5.2',
  'graphile-migrate': '2.0.0-rc.3',
  pg: '8.23.1',
  'pg-protocol': '1.16.1',
  postgraphile: '5.1.5',
  'rate-limiter-flexible': '11.4.0',
};

const readJson = async (...path: string[]) => JSON.parse(await readFile(join(root, ...path), 'utf8'));

test.each(Object.entries(versions))('%s is pinned and installed at version %s', async (name, version) => {
  const { dependencies, devDependencies } = await readJson('package.json');
  expect({ ...dependencies, ...devDependencies }[name]).toBe(version);
  expect((await readJson('node_modules', name, 'package.json')).version).toBe(version);
});

describe('node-postgres', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase();
  });
  afterAll(() => db.drop());

  test('a new client has the fields that postgres/internals reads', () => {
    const client = new pg.Client();
    const fields = ['connection', 'processID', 'secretKey', '_queryable', 'ssl'];
    expect(fields.filter((field) => !Object.hasOwn(client, field))).toEqual([]);
    expect(internals.processIdOf(client)).toBeNull();
    expect(internals.secretKeyOf(client)).toBeNull();
    expect(internals.isQueryable(client)).toBe(true);
    expect(internals.tlsOptionsOf(client)).toBe(false);
    expect(internals.connectionOf(client)).toBeInstanceOf(pg.Connection);
    expect(internals.streamOf(client)).toBeInstanceOf(Socket);
    expect(internals.streamOf(client)).toMatchObject({ destroyed: false, writable: true });
  });

  test('a client announces its session, its state and the steps of its authentication', async () => {
    const client = new pg.Client(db.serverUrl);
    const steps: string[] = [];
    internals.onAuthentication(client, {
      saslOffered: (mechanisms) => steps.push(...mechanisms),
      saslFinal: () => steps.push('final'),
      passwordRequested: () => steps.push('password'),
      authenticated: () => steps.push('authenticated'),
    });
    await client.connect();
    expect(steps).toEqual(['SCRAM-SHA-256', 'final', 'authenticated']);
    const { rows } = await client.query('select pg_backend_pid() as pid');
    expect(internals.processIdOf(client)).toBe(rows[0].pid);
    expect(internals.secretKeyOf(client)).toEqual(expect.any(Number));
    expect(internals.isReadyForQuery(client)).toBe(true);
    const ready = once(internals.connectionOf(client) as never, 'readyForQuery');
    const answer = client.query('select 1');
    expect(internals.isReadyForQuery(client)).toBe(false);
    await ready;
    await answer;
    const ended = once(internals.connectionOf(client) as never, 'end');
    client.on('error', () => {});
    internals.destroyStream(client);
    await ended;
    expect(internals.isQueryable(client)).toBe(false);
    expect(internals.streamOf(client)).toMatchObject({ destroyed: true, writable: false });
  });

  test('a client before its connection connects without TLS once TLS is disabled', () => {
    const client = new pg.Client({ ssl: true }) as unknown as { ssl: unknown; connection: { ssl: unknown } };
    expect([client.ssl, client.connection.ssl]).toEqual([true, true]);
    disableTls(client as never);
    expect([client.ssl, client.connection.ssl]).toEqual([false, false]);
  });

  test('a connection has the methods that send a cancel request', () => {
    const methods: Record<string, unknown> = pg.Connection.prototype as never;
    expect(['connect', 'requestSsl', 'cancel', 'end'].filter((name) => typeof methods[name] !== 'function')).toEqual(
      [],
    );
  });

  test('a client passes the messages of the server to the methods of a batch', () => {
    const methods = Object.getOwnPropertyNames(pg.Client.prototype);
    const handlers = [
      '_handleRowDescription',
      '_handleDataRow',
      '_handleCommandComplete',
      '_handleEmptyQuery',
      '_handleErrorMessage',
      '_handleReadyForQuery',
      '_handleCopyInResponse',
      '_handleCopyData',
      '_handlePortalSuspended',
    ];
    expect(handlers.filter((name) => !methods.includes(name))).toEqual([]);
  });

  test('bound values have the wire form of node-postgres, and only the first argument counts', () => {
    const values = [null, 1, true, [1, null], { a: 1 }].map(internals.prepareValue);
    expect(values).toEqual([null, '1', 'true', '{"1",NULL}', '{"a":1}']);
  });
});

test('pg-protocol builds the messages of the extended protocol', () => {
  const { serialize } = internals;
  const messages = [
    serialize.parse({ name: 'a', text: 'select $1' }),
    serialize.bind({ statement: 'a', values: ['x', null] }),
    serialize.describe({ type: 'P' }),
    serialize.execute(),
    serialize.close({ type: 'S', name: 'a' }),
    serialize.sync(),
  ];
  expect(messages.map((message) => message.toString('latin1'))).toEqual([
    'P\0\0\0\x12a\0select $1\0\0\0',
    'B\0\0\0\x1c\0a\0\0\x02\0\0\0\0\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\x01\0\0',
    'D\0\0\0\x06P\0',
    'E\0\0\0\x09\0\0\0\0\0',
    'C\0\0\0\x07Sa\0',
    'S\0\0\0\x04',
  ]);
});
