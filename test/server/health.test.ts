import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import pino from 'pino';
import { deadline } from '../../server/http/deadline.ts';
import { problem } from '../../server/http/problemResponse.ts';
import { requestLog } from '../../server/http/requestLog.ts';
import { health } from '../../server/tenancy/health.ts';
import { createReadiness } from '../../server/tenancy/readiness.ts';
import { openConnections } from '../support/openDatabase.ts';
import { requestTo } from '../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

const silent = pino({ level: 'silent' });
let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer();
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

const get = (path: string) => requestTo(server.app).get(path);

test('a healthy server says so', async () => {
  expect((await get('/health').expect(200)).body).toEqual({ status: 'ok' });
  expect((await get('/health/db').expect(200)).body).toEqual({ status: 'ok', reasons: [], advice: [] });
});

/** Waits until the outcome of the last check of readiness is not kept any more. */
const untilForgotten = () => sleep(1100);

test('probes at the same time share one check of the database, and the next second has the same answer', async () => {
  await untilForgotten();
  const { waits } = server.database.counts;
  await Promise.all(Array.from({ length: 20 }, () => get('/health/db').expect(200)));
  // Three statements; on a loaded machine the second may be over before all have been sent.
  const statements = server.database.counts.waits - waits;
  expect(statements).toBeGreaterThan(0);
  expect(statements).toBeLessThan(20);
  await untilForgotten();
  await get('/health/db').expect(200);
});

test('a missing migration is told, and is not the process', async () => {
  const { db } = server;
  await untilForgotten();
  await db.asAdmin('create table public.kept as table graphile_migrate.migrations');
  const [newest] = await db.asAdmin<{ filename: string }>(
    `delete from graphile_migrate.migrations
     where filename = (select max(filename) from graphile_migrate.migrations) returning filename`,
  );
  const { body } = await get('/health/db').expect(503);
  expect(body).toEqual({
    status: 'unavailable',
    reasons: [expect.stringMatching(`^migration ${newest?.filename.slice(0, 6)}\\S* has not been applied$`)],
    advice: [],
  });
  await get('/health').expect(200);
  await db.asAdmin('insert into graphile_migrate.migrations table public.kept on conflict do nothing');
  await untilForgotten();
  await get('/health/db').expect(200);
});

test('a server that stops is not ready, whatever the database says', async () => {
  const readiness = createReadiness(server.database);
  const app = express().use(deadline(30), health(readiness, silent));
  await requestTo(app).get('/health/db').expect(200);
  readiness.stopping();
  await requestTo(app).get('/health/db').expect(503);
  await requestTo(app).get('/health').expect(200);
});

test('a database that shuts its door is a 503 for everybody until it opens again', async () => {
  const { app, db } = server;
  const [row] = await db.asAdmin<{ name: string }>('select current_database() as name');
  await db.asAdmin(`alter database ${row?.name} connection limit 0`);
  await db.asAdmin(
    `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = 'hedgerow_authenticator'`,
  );
  await untilForgotten();
  const [readiness, api, login] = await Promise.all([
    get('/health/db'),
    ada.graphql('{ currentUser { email } }'),
    requestTo(app).post('/auth/login').send({ email: ada.email, password: ada.password }),
  ]);
  expect(readiness.body).toEqual({ status: 'unavailable', reasons: ['the database does not answer'], advice: [] });
  expect(api.body.errors).toMatchObject([{ extensions: { code: 'UNAVAILABLE' } }]);
  expect([readiness, api, login].map(({ status }) => status)).toEqual([503, 503, 503]);
  for (const { headers } of [api, login]) expect(headers['retry-after']).toMatch(/^\d+$/);
  await get('/health').expect(200);

  await db.asAdmin(`alter database ${row?.name} connection limit -1`);
  // A pooler knocks again once in a second.
  while ((await get('/health/db')).status !== 200) await sleep(100);
  await ada.graphql('{ currentUser { email } }').expect(200);
});

test('a database behind a closed port does not answer', async () => {
  const url = 'postgres://hedgerow_authenticator:secret-word@127.0.0.1:1/hedgerow';
  const database = openConnections({ serverUrl: url, preparedStatements: true });
  const { text } = await requestTo(express().use(deadline(30), health(createReadiness(database), silent)))
    .get('/health/db')
    .expect(503);
  expect(JSON.parse(text)).toEqual({ status: 'unavailable', reasons: ['the database does not answer'], advice: [] });
  await database.close();
});

test('metrics tell of the process, of requests and of the pool', async () => {
  await ada.graphql('{ currentUser { email } }');
  const { text } = await get('/metrics')
    .expect(200)
    .expect('Content-Type', /^text\/plain; version=0\.0\.4/);
  expect(text).toMatch(/^process_cpu_seconds_total [\d.]+$/m);
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds [\d.e-]+$/m);
  expect(text).toMatch(/^http_request_duration_seconds_count\{method="POST",route="\/graphql",status="200"\} [1-9]/m);
  expect(text).toMatch(
    /^http_request_duration_seconds_count\{method="POST",route="\/auth\/register",status="201"\} 1$/m,
  );
  for (const state of ['open', 'idle', 'waiting'])
    expect(text).toMatch(new RegExp(`^database_pool_${state} \\d+$`, 'm'));
  expect(text).toMatch(/^database_pool_open [1-9]/m);
  expect(text).not.toContain(ada.id);
});

test('metrics do not grow with paths that nobody serves', async () => {
  const unknown = (n: number) => [
    `/${n}`,
    `/auth/${n}`,
    `/auth/me/${n}`,
    `/graphql/${n}`,
    `/health?${n}`,
    `/metrics/${n}`,
    `/%2f${n}`,
  ];
  const series = async () => (await get('/metrics')).text.match(/^(http|database)_/gm)?.length;
  const visit = async (n: number) => {
    for (const path of unknown(n)) await get(path);
    await requestTo(server.app).post(`/auth/${n}`).send({});
  };
  await visit(0);
  await get('/metrics');
  const before = await series();
  for (let n = 1; n <= 10; n++) await visit(n);
  expect(await series()).toBe(before);
});

/** A log that keeps its lines. */
function keepingLog() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { log, lines };
}

test('probes log the cause when the database stops answering and when it answers again, and nothing in between', async () => {
  const { log, lines } = keepingLog();
  const away = openConnections({
    serverUrl: 'postgres://hedgerow_authenticator:secret-word@127.0.0.1:1/hedgerow',
    preparedStatements: true,
  });
  const [good, bad] = [createReadiness(server.database), createReadiness(away)];
  let current = good;
  const readiness = { ...good, recentReport: () => current.report() };
  const app = express().use(requestLog(log), deadline(30), health(readiness, log));
  const probe = (path = '/health/db') => requestTo(app).get(path);
  try {
    for (const path of ['/health', '/health/db', '/health/db?verbose']) await probe(path).expect(200);
    expect(lines).toEqual([]);
    current = bad;
    await probe().expect(503);
    await probe().expect(503);
    current = good;
    await probe().expect(200);
    await probe().expect(200);
  } finally {
    await away.close();
  }
  expect(lines).toMatchObject([
    {
      level: 40,
      msg: 'not ready to serve',
      reasons: ['the database did not answer: refused'],
      cause: 'refused',
      advice: expect.stringContaining('Start Postgres'),
    },
    { level: 30, msg: 'ready to serve again' },
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret-word');
});

test('a client that leaves early is logged as an aborted request, and not as an error', async () => {
  const { log, lines } = keepingLog();
  const arrived = Promise.withResolvers<void>();
  const app = express().use(requestLog(log), deadline(30));
  app.get('/slow', ({ cancellation }, _response, next) => {
    arrived.resolve();
    cancellation
      .race(
        () => new Promise(() => {}),
        () => {},
      )
      .catch(next);
  });
  app.get('/broken', (_request, response) => {
    response.write('half an answer');
    throw new Error('the other half is missing');
  });
  app.use(problem(log));
  const listening = app.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  const leaving = new AbortController();
  const left = fetch(`${url}/slow`, { signal: leaving.signal }).catch(() => 'left');
  await arrived.promise;
  leaving.abort();
  await left;
  const logged = (count: number) => until(() => lines.length >= count);
  await logged(1);
  await fetch(`${url}/broken`)
    .then((response) => response.text())
    .catch(() => 'broken off');
  await logged(3);
  listening.close();
  listening.closeAllConnections();
  expect(lines).toMatchObject([
    { level: 30, msg: 'request aborted by the client', path: '/slow', status: 499, aborted: true },
    { level: 50, msg: 'request failed' },
    { level: 50, msg: 'request', path: '/broken', answered: false },
  ]);
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}
