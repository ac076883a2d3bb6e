import { once } from 'node:events';
import pg from 'pg';
import { lockOf } from '../../../server/tenancy/listenerLocks.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { begin, greet, openSocket, subscribed, todoChanged } from '../../support/socket.ts';

let server: TestServer;
let url: string;
let ada: Tenant;
let stranger: pg.Client;
const heard: string[] = [];

beforeAll(async () => {
  server = await startTestServer();
  url = await server.listen();
  ada = await signUp(server.app, 'ada');
  stranger = new pg.Client({ connectionString: server.db.listenUrl });
  await stranger.connect();
  stranger.on('notification', ({ payload = '' }) => heard.push(payload));
  await stranger.query('listen hedgerow_changes');
});
afterAll(async () => {
  await stranger.end();
  await server.close();
});

const insert = (count = 1) =>
  server.db.asAdmin("insert into app_public.todos (user_id, title) select $1, 'x' from generate_series(1, $2::int)", [
    ada.id,
    count,
  ]);

/** The advisory locks that are held in this database. */
async function locks(): Promise<number[]> {
  const rows = await server.db.asAdmin<{ lock: number }>(`select objid::bigint::int as lock from pg_locks
    where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`);
  return rows.map(({ lock }) => lock);
}

/** The notifications of the channel so far, except the server's probes. */
async function notifications(): Promise<string[]> {
  const probe = `probe ${heard.length}`;
  await stranger.query('select pg_notify($1, $2)', ['hedgerow_changes', probe]);
  while (!heard.includes(probe)) await once(stranger, 'notification');
  return heard.splice(0).filter((payload) => !payload.startsWith('probe '));
}

test('a change of a tenant for whom nobody listens is not notified, and one of whom somebody does is, once', async () => {
  await insert();
  expect(await notifications()).toEqual([]);
  const socket = await subscribed(url, ada.token, todoChanged);
  await insert(3);
  const [sent, ...others] = await notifications();
  expect(others).toEqual([]);
  expect(JSON.parse(sent as string)).toMatchObject({ table: 'todos', event: 'INSERT', user: ada.id });
  expect(JSON.parse(sent as string).ids).toHaveLength(3);
  socket.raw.close();
  await socket.closed;
  while ((await locks()).length > 0);
  await insert();
  expect(await notifications()).toEqual([]);
});

test('of a thousand rows, and of a thousand tenants, each notification stays short', async () => {
  const socket = await subscribed(url, ada.token, todoChanged);
  await insert(1000);
  await server.db.asAdmin(`insert into app_public.users (email, username)
    select n || '@example.org', 'user' || n from generate_series(1, 200) n`);
  await server.db.asAdmin(`insert into app_public.todos (user_id, title) select id, 'y' from app_public.users,
    generate_series(1, 100)`);
  const sent = await notifications();
  expect(sent).toHaveLength(202);
  for (const payload of sent) expect(Buffer.byteLength(payload)).toBeLessThan(8000);
  expect(JSON.parse(sent[0] as string).ids).toBeNull();
  socket.raw.terminate();
  await socket.closed;
});

test('a change under way when a socket opens is committed before the socket is signed in, and the next one is heard', async () => {
  const writer = new pg.Client({ connectionString: server.db.adminUrl });
  await writer.connect();
  await writer.query('begin');
  await writer.query("insert into app_public.todos (user_id, title) values ($1, 'under way')", [ada.id]);
  const socket = await greet(url, ada.token);
  const tried = `select from pg_stat_activity where application_name = 'hedgerow listener'
    and datname = current_database() and query like '%pg_try_advisory_lock_shared%'`;
  while ((await server.db.asAdmin(tried)).length === 0);
  expect(socket.heard).toEqual([]);
  await writer.query('commit');
  await writer.end();
  expect(await socket.next()).toEqual({ type: 'connection_ack' });
  await begin(socket, todoChanged);
  await insert();
  expect(await socket.event()).toMatchObject({ event: 'INSERT', todo: { title: 'x' } });
  socket.raw.terminate();
  await socket.closed;
});

test('the server and the trigger agree on which lock is whose', async () => {
  const sockets = [];
  for (const name of ['bob', 'carol', 'dave', 'erin']) {
    const tenant = await signUp(server.app, name);
    sockets.push({ tenant, socket: await openSocket(url, tenant.token) });
  }
  await notifications();
  for (const { tenant } of sockets) {
    await server.db.asAdmin("insert into app_public.todos (user_id, title) values ($1, 'x')", [tenant.id]);
    expect((await notifications()).map((payload) => JSON.parse(payload).user)).toEqual([tenant.id]);
  }
  const own = new Set(sockets.map(({ tenant }) => lockOf(tenant.id)));
  expect(new Set(await locks())).toEqual(own);
  for (const { socket } of sockets) socket.raw.terminate();
});
