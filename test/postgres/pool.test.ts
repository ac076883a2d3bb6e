import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { type Cluster, openCluster } from '../../postgres/embedded/cluster.ts';
import { createLog } from '../../server/http/log.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { createAccount, insertTodo } from '../support/sql.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const pid = { text: 'select pg_backend_pid() as pid' };
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test('a connection that died while it was idle is replaced, and no request notices', async () => {
  const database = openConnections(db);
  const ada = await createAccount(db, 'ada');
  const client = database.as(Identity.tenant(ada.id, ada.sessionId));
  for (let round = 0; round < 5; round++) {
    const { rows } = await database.inspect<{ pid: number }>(pid);
    await db.asAdmin('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await sleep(20);
    await client.query(insertTodo(`round ${round}`));
  }
  expect(await db.asAdmin('select from app_public.todos')).toHaveLength(5);
  await database.close();
});

test('a read whose connection is lost runs again, and a write does not', async () => {
  const database = openConnections(db);
  const bob = await createAccount(db, 'bob');
  const identity = Identity.tenant(bob.id, bob.sessionId);
  const slow = { text: 'select 1 as one from pg_sleep(0.5)' };
  const kill = async () => {
    const running = `select pg_terminate_backend(pid) from pg_stat_activity
      where usename = 'hedgerow_authenticator' and datname = current_database() and query like '%pg_sleep(0.5)%'`;
    while ((await db.asAdmin(running)).length === 0) await sleep(10);
  };
  const read = database.as(identity, { readOnly: true }).query(slow);
  await kill();
  expect((await read).rows).toEqual([{ one: 1 }]);
  expect(database.counts.retries).toBe(1);
  const write = failure(database.as(identity).query(slow));
  await kill();
  expect(connectionFault(await write)?.cause).toBe('connection lost');
  await database.close();
});

test('connections are replaced by new ones after a while', async () => {
  const database = openConnections(db, { recycle: 1 });
  const first = (await database.inspect<{ pid: number }>(pid)).rows[0]?.pid;
  let now = first;
  while (now === first) {
    await sleep(200);
    now = (await database.inspect<{ pid: number }>(pid)).rows[0]?.pid;
  }
  await database.close();
});

test('requests beyond the pool size wait, and then fail because the pool is exhausted', async () => {
  const database = openConnections(db, { timeout: 1 });
  const busy = database.inspect({ text: 'select pg_sleep(2)' });
  expect(connectionFault(await failure(database.inspect(pid)))?.cause).toBe('pool exhausted');
  await busy;
  await database.inspect(pid);
  await database.close();
});

const changed = (change: (url: URL) => void) => {
  const url = new URL(db.serverUrl);
  change(url);
  return url.href;
};

test.each<[string, (url: URL) => void]>([
  [
    'wrong password',
    (url) => {
      url.password = 'not-the-word';
    },
  ],
  [
    'unknown database',
    (url) => {
      url.pathname = '/no_such_database';
    },
  ],
  [
    'unknown host',
    (url) => {
      url.hostname = 'no-such-host.invalid';
    },
  ],
  [
    'refused',
    (url) => {
      url.port = '1';
    },
  ],
  [
    'TLS',
    (url) => {
      url.searchParams.set('sslmode', 'require');
    },
  ],
])('%s is named in the log, with what to do and without the password', async (cause, change) => {
  let written = '';
  const log = createLog('info', {
    write: (line) => {
      written += line;
    },
  });
  const serverUrl = changed(change);
  const database = openConnections({ serverUrl, preparedStatements: true }, {}, log);
  expect(connectionFault(await failure(database.inspect(pid)))?.cause).toBe(cause);
  expect(written).toContain(`"cause":"${cause}","advice":"`);
  expect(written).not.toContain(new URL(serverUrl).password);
  await database.close();
});

test.each([
  ['53100', 'disk full'],
  ['53200', 'out of memory'],
  ['53000', 'out of resources'],
])('a statement that fails with %s is logged as %s, once for many of them', async (code, cause) => {
  let written = '';
  const log = createLog('info', {
    write: (line) => {
      written += line;
    },
  });
  const database = openConnections(db, { size: 2 }, log);
  const { id, sessionId } = await createAccount(db, `user${code}`);
  const text = `do $$ begin raise exception 'could not extend file' using errcode = '${code}'; end $$`;
  const attempts = Array.from({ length: 4 }, () => database.as(Identity.tenant(id, sessionId)).query({ text }));
  for (const attempt of attempts) expect(connectionFault(await failure(attempt))?.cause).toBe(cause);
  expect(written.split('\n').filter((line) => line.includes(`"cause":"${cause}","advice":"`))).toHaveLength(1);
  await database.close();
});

test.each([
  ['ECONNABORTED', 'connection lost'],
  ['ENOTCONN', 'connection lost'],
  ['EHOSTDOWN', 'unreachable'],
  ['EMFILE', 'out of sockets'],
  ['EADDRNOTAVAIL', 'out of sockets'],
])('a socket that fails with %s is named %s', (code, cause) => {
  expect(connectionFault(Object.assign(new Error('socket'), { code }))?.cause).toBe(cause);
});

test.each([
  ['query_wait_timeout', 'pooler has no connection'],
  ['no more connections allowed (max_client_conn)', 'pooler full'],
  ['server login has been failing, try again later (server_login_retry)', 'pooler cannot log in'],
  [
    'server login failed: FATAL password authentication failed for user "hedgerow_authenticator"',
    'pooler cannot log in',
  ],
  ['pgbouncer cannot connect to server', 'pooler cannot log in'],
  ['no such database: hedgerow', 'unknown database'],
  ['SASL authentication failed', 'wrong password'],
  ['server conn crashed?', 'connection lost'],
])('what PgBouncer says with 08P01 is told apart: %s', (message, cause) => {
  const error = Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code: '08P01' });
  expect(connectionFault(error)?.cause).toBe(cause);
});

test('too many connections has its own cause', async () => {
  await db.asAdmin('create role crowded login in role hedgerow_tenant connection limit 0 password $$crowded$$');
  await db.asAdmin('grant connect on database postgres to crowded');
  const serverUrl = changed((url) => {
    url.username = 'crowded';
    url.password = 'crowded';
    url.pathname = '/postgres';
  });
  const database = openConnections({ serverUrl, preparedStatements: true });
  expect(connectionFault(await failure(database.inspect(pid)))?.cause).toBe('too many connections');
  await database.close();
  await db.asAdmin('revoke connect on database postgres from crowded');
  await db.asAdmin('drop role crowded');
});

describe('with a Postgres that comes and goes', () => {
  let directory: string;
  let cluster: Cluster;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hedgerow-pool-'));
    cluster = await openCluster({ directory });
  });
  afterAll(async () => {
    await cluster.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('a request waits for a database that is waking up', async () => {
    const database = openConnections({ serverUrl: cluster.adminUrl(), preparedStatements: true });
    await database.inspect(pid);
    await cluster.close();
    const asked = database.inspect(pid);
    cluster = await openCluster({ directory });
    expect((await asked).rowCount).toBe(1);
    expect(database.counts.retries).toBeGreaterThan(0);
    await database.close();
  });

  test('a database that stays unavailable is reported soon, and used as soon as it is back', async () => {
    const database = openConnections({ serverUrl: cluster.adminUrl(), preparedStatements: true }, { retryTime: 0.2 });
    await cluster.close();
    expect(connectionFault(await failure(database.inspect(pid)))?.cause).toBe('refused');
    cluster = await openCluster({ directory });
    expect((await database.inspect(pid)).rowCount).toBe(1);
    await database.close();
  });
});
