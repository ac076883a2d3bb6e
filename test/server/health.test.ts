import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import pino from 'pino';
import supertest from 'supertest';
import { createReadiness } from '../../server/database/readiness.ts';
import { health } from '../../server/http/health.ts';
import { openConnections } from '../support/openDatabase.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

const silent = pino({ level: 'silent' });
let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer();
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

const get = (path: string) => supertest(server.app).get(path);

test('a healthy server says so', async () => {
  expect((await get('/health').expect(200)).body).toEqual({ status: 'ok' });
  expect((await get('/health/db').expect(200)).body).toEqual({ status: 'ok', reasons: [] });
});

test('a missing migration is told, and is not the process', async () => {
  const { db } = server;
  await db.asAdmin('create table public.kept as table graphile_migrate.migrations');
  await db.asAdmin('delete from graphile_migrate.migrations');
  const { body } = await get('/health/db').expect(503);
  expect(body.status).toBe('unavailable');
  expect(body.reasons[0]).toMatch(/^migration 000001.*not been applied/);
  await get('/health').expect(200);
  await db.asAdmin('insert into graphile_migrate.migrations table public.kept');
  await get('/health/db').expect(200);
});

test('a server that stops is not ready, whatever the database says', async () => {
  const readiness = createReadiness(server.database);
  const app = express().use(health(readiness, silent));
  await supertest(app).get('/health/db').expect(200);
  readiness.stopping();
  await supertest(app).get('/health/db').expect(503);
  await supertest(app).get('/health').expect(200);
});

test('a database that shuts its door is a 503 for everybody until it opens again', async () => {
  const { app, db } = server;
  const [row] = await db.asAdmin<{ name: string }>('select current_database() as name');
  await db.asAdmin(`alter database ${row?.name} connection limit 0`);
  await db.asAdmin(
    `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = 'hedgerow_authenticator'`,
  );
  const [readiness, api, login] = await Promise.all([
    get('/health/db'),
    ada.graphql('{ currentUser { email } }'),
    supertest(app).post('/auth/login').send({ email: ada.email, password: ada.password }),
  ]);
  expect(readiness.body).toEqual({ status: 'unavailable', reasons: ['the database does not answer'] });
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
  const { text } = await supertest(express().use(health(createReadiness(database), silent)))
    .get('/health/db')
    .expect(503);
  expect(JSON.parse(text)).toEqual({ status: 'unavailable', reasons: ['the database does not answer'] });
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
    await supertest(server.app).post(`/auth/${n}`).send({});
  };
  await visit(0);
  await get('/metrics');
  const before = await series();
  for (let n = 1; n <= 10; n++) await visit(n);
  expect(await series()).toBe(before);
});
