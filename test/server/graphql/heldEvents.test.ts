import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrate } from 'graphile-migrate';
import jwt from 'jsonwebtoken';
import { migrateSettings } from '../../../postgres/migrate/migrateSettings.ts';
import { type EmbeddedTarget, openEmbedded } from '../../../postgres/target/target.ts';
import { withClient } from '../../../postgres/withClient.ts';
import { type Relay, startRelay } from '../../support/relay.ts';
import { jwtSecret, serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';
import { type Socket, subscribed, todoChanged } from '../../support/socket.ts';

// The server reaches its own Postgres by two relays: one for its statements, one for what it listens to.
let directory: string;
let postgres: EmbeddedTarget;
let relays: Record<'statements' | 'notifications', Relay>;
let server: Omit<TestServer, 'db'>;
let url: string;

const open = () => openEmbedded(directory, { fsync: 'off' });
const portOf = (target: EmbeddedTarget) => Number(new URL(target.serverUrl).port);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hedgerow-held-'));
  postgres = await open();
  await migrate(await migrateSettings(postgres, () => {}));
  relays = { statements: await startRelay(portOf(postgres)), notifications: await startRelay(portOf(postgres)) };
  server = await serve({
    serverUrl: relays.statements.through(postgres.serverUrl),
    listenUrl: relays.notifications.through(postgres.serverUrl),
  });
  url = await server.listen();
}, 120_000);

afterAll(async () => {
  await server.close();
  await Promise.all(Object.values(relays).map((relay) => relay.close()));
  await postgres.close();
  await rm(directory, { recursive: true, force: true });
});

const asAdmin = (text: string, values: unknown[] = []) =>
  withClient(new URL('/hedgerow', postgres.adminUrl).href, (admin) => admin.query(text, values));

const insert = ({ id }: Tenant, ...titles: string[]) =>
  asAdmin('insert into app_public.todos (user_id, title) select $1, title from unnest($2::text[]) title', [id, titles]);

const events = ({ heard }: Socket) => heard.filter(({ type, id }) => type === 'next' && id !== 'barrier');

/** A reader whose socket is open while the database does not answer statements any more. */
async function cutOff(name: string, token?: (tenant: Tenant) => string): Promise<{ tenant: Tenant; socket: Socket }> {
  const tenant = await signUp(server.app, name);
  const socket = await subscribed(url, token?.(tenant) ?? tenant.token, todoChanged);
  relays.statements.cut();
  return { tenant, socket };
}

/** Until the server has tried to read the row of an event in vain. */
async function untilRefused(): Promise<void> {
  const { lost } = server.database.counts.transactions;
  while (server.database.counts.transactions.lost === lost) await sleep(20);
}

test('an event whose row cannot be read is held until the database is back', async () => {
  const { tenant, socket } = await cutOff('held');
  await insert(tenant, 'one');
  await untilRefused();
  await insert(tenant, 'two');
  await untilRefused();
  expect(events(socket)).toEqual([]);
  relays.statements.restore();
  for (const title of ['one', 'two']) expect(await socket.event()).toMatchObject({ event: 'INSERT', todo: { title } });
  expect(events(socket)).toHaveLength(2);
  socket.raw.terminate();
}, 60_000);

test('more changes than may wait while the database is away are one RESYNC', async () => {
  const { tenant, socket } = await cutOff('many');
  await insert(tenant, 'first');
  await untilRefused();
  for (let n = 0; n < 4; n++) await insert(tenant, ...Array.from({ length: 40 }, (_, index) => `${n} ${index}`));
  await untilRefused();
  relays.statements.restore();
  expect(await socket.event()).toEqual({ event: 'RESYNC', rowId: null, todo: null });
  socket.raw.terminate();
}, 60_000);

test('a session that ends while an event is held ends the socket, and the event is not sent', async () => {
  const { tenant, socket } = await cutOff('revoked');
  await insert(tenant, 'secret');
  await untilRefused();
  // Without a notification: the check before the event has to find it.
  await asAdmin(`do $$ begin set local session_replication_role = replica;
    update app_private.sessions set revoked_at = now() where user_id = '${tenant.id}'; end $$`);
  relays.statements.restore();
  expect((await socket.closed).code).toBe(4401);
  expect(events(socket)).toEqual([]);
}, 60_000);

test('a token that expires while an event is held ends the socket', async () => {
  const { tenant, socket } = await cutOff('expired', ({ token }) => {
    const claims = jwt.decode(token) as jwt.JwtPayload;
    return jwt.sign({ ...claims, exp: Math.floor(Date.now() / 1000) + 8 }, jwtSecret);
  });
  await insert(tenant, 'late');
  expect((await socket.closed).code).toBe(4403);
  expect(events(socket)).toEqual([]);
  relays.statements.restore();
}, 60_000);

test('a subscriber through a restart of Postgres gets no null, and hears of changes again', async () => {
  const { tenant, socket } = await cutOff('restart');
  await insert(tenant, 'before');
  await untilRefused();
  relays.notifications.cut();
  await postgres.close();
  postgres = await open();
  for (const relay of Object.values(relays)) relay.restore(portOf(postgres));
  // The connection that listens was lost too: what else was missed is not known.
  let last = (await socket.event()) as { event: string };
  if (last.event === 'INSERT') last = (await socket.event()) as { event: string };
  expect(last).toEqual({ event: 'RESYNC', rowId: null, todo: null });
  await insert(tenant, 'after');
  expect(await socket.event()).toMatchObject({ event: 'INSERT', todo: { title: 'after' } });
  for (const { payload } of events(socket)) expect(payload).not.toHaveProperty('errors');
  socket.raw.terminate();
}, 120_000);
