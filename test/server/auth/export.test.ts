import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { root } from '../../../common/root.ts';
import { requestTo } from '../../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let http: Server;
let ada: Tenant;
let bob: Tenant;

beforeAll(async () => {
  server = await startTestServer({ poolSize: 10 });
  http = createServer(server.app).listen(0, '127.0.0.1');
  await once(http, 'listening');
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
});
afterAll(async () => {
  http.closeAllConnections();
  http.close();
  await server.close();
});

const exportOf = ({ token }: Pick<Tenant, 'token'>) =>
  requestTo(server.app).get('/auth/export').auth(token, { type: 'bearer' });

/** The beginning of an export over a connection of its own; what follows is read by the test, or is not. */
async function begin({ token }: Tenant): Promise<IncomingMessage> {
  const { port } = http.address() as AddressInfo;
  const request = get({ port, path: '/auth/export', agent: false, headers: { Authorization: `Bearer ${token}` } });
  const [response] = await once(request, 'response');
  return response;
}

/** Waits until an export waits, in the midst of its transaction, for a client that does not read. */
async function waitsForReader(): Promise<void> {
  const text = `select from pg_stat_activity where usename = 'hedgerow_authenticator' and datname = current_database()
    and state = 'idle in transaction' and query like 'fetch %' and state_change < now() - interval '200 ms'`;
  while ((await server.db.asAdmin(text)).length === 0) await sleep(20);
}

/** Waits until the server holds no connection for anybody. */
async function nobodyHolds(): Promise<void> {
  const text = `select from pg_stat_activity where usename = 'hedgerow_authenticator' and datname = current_database()
    and state <> 'idle'`;
  while ((await server.db.asAdmin(text)).length > 0) await sleep(20);
}

/** The user's rows, as the superuser sees them and Postgres writes them. */
async function rowsOf(table: string, { id }: Tenant, columns = '*'): Promise<unknown[]> {
  const key = table === 'users' ? 'id' : 'user_id';
  const rows = await server.db.asAdmin<{ row: unknown }>(
    `select to_json(t) as row from (select ${columns} from app_public.${table} where ${key} = $1) t`,
    [id],
  );
  return rows.map(({ row }) => row);
}

const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();

/** Many todos, each with a text that JSON has to escape. */
async function manyTodos({ id }: Tenant, count: number): Promise<void> {
  await server.db.asAdmin(
    `insert into app_public.todos (user_id, title, description)
    select $1, 'todo ' || n, repeat(chr(10) || '"', 500) from generate_series(1, $2) n`,
    [id, count],
  );
}

test('two tenants export all of their own rows, and none of the other', async () => {
  const odd = `"quotes", 'apostrophes', \\ and \n, \u2028, 🌿, <b>, \u0001`;
  for (const { id } of [ada, bob]) {
    await server.db.asAdmin(`insert into app_public.lists (user_id, name) values ($1, $2), ($1, 'Home')`, [id, odd]);
    await server.db.asAdmin(
      `insert into app_public.todos (user_id, list_id, title, description, due_date)
      select user_id, id, name, null, '2026-12-01' from app_public.lists where user_id = $1`,
      [id],
    );
  }
  for (const tenant of [ada, bob]) {
    const { body, headers } = await exportOf(tenant).expect(200);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(headers['content-disposition']).toBe('attachment; filename="hedgerow-export.json"');
    expect(Object.keys(body)).toEqual(['exportedAt', 'tables']);
    expect(new Date(body.exportedAt).toISOString()).toBe(body.exportedAt);
    expect(Object.keys(body.tables)).toEqual(expect.arrayContaining(['audit_events', 'lists', 'todos', 'users']));
    for (const table of ['lists', 'todos', 'users']) {
      const rows = await rowsOf(table, tenant);
      expect(rows).toHaveLength(table === 'users' ? 1 : 2);
      expect(sorted(body.tables[table])).toEqual(sorted(rows));
    }
    expect(body.tables.lists).toContainEqual(expect.objectContaining({ name: odd }));
    expect(body.tables.todos).toContainEqual(expect.objectContaining({ title: 'Home', description: null }));
  }
});

test('an export includes the account and its audit events, and no secret', async () => {
  const { body, text } = await exportOf(ada).expect(200);
  expect(body.tables.users).toEqual([expect.objectContaining({ id: ada.id, email: ada.email })]);
  const events: { event: string }[] = body.tables.audit_events;
  expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['registered', 'account_exported']));
  expect(text).not.toMatch(/argon2|token_hash/);
});

test('an export includes new tables, with only own rows and readable columns', async () => {
  const owner = new pg.Client({ connectionString: server.db.ownerUrl });
  await owner.connect();
  const page = await readFile(join(root, 'docs', 'dba.md'), 'utf8');
  const [, example = ''] = /```sql\n(drop table.+?)```/s.exec(page) ?? [];
  await owner.query(example);
  await owner.query(`create table app_public."Odd ""name""" (like app_public.tags including defaults, "a ""b""" int default 7);
    alter table app_public."Odd ""name""" enable row level security, force row level security;
    create policy select_own on app_public."Odd ""name""" for select to hedgerow_tenant
      using (user_id = (select app_public.current_user_id()));
    grant select (id, "a ""b""") on app_public."Odd ""name""" to hedgerow_tenant;
    create table app_public.not_granted (like app_public.tags);
    create table app_public.written_only (like app_public.tags);
    grant insert, update (name) on app_public.written_only to hedgerow_tenant`);
  await owner.end();
  for (const { id } of [ada, bob]) {
    for (const table of ['tags', '"Odd ""name"""', 'not_granted', 'written_only']) {
      await server.db.asAdmin(
        `insert into app_public.${table} (user_id, id, name, created_at) values ($1, gen_random_uuid(), 'x', now())`,
        [id],
      );
    }
  }
  const { body } = await exportOf(ada).expect(200);
  for (const unreadable of ['not_granted', 'written_only']) expect(body.tables).not.toHaveProperty(unreadable);
  expect(body.tables.tags).toEqual(await rowsOf('tags', ada));
  expect(body.tables.tags).toHaveLength(1);
  expect(body.tables.todo_tags).toEqual([]);
  expect(body.tables['Odd "name"']).toEqual(await rowsOf('"Odd ""name"""', ada, 'id, "a ""b"""'));
  expect(body.tables['Odd "name"']).toEqual([{ id: expect.any(String), 'a "b"': 7 }]);
});

test('an export includes a partitioned table once, and omits its partitions', async () => {
  const owner = new pg.Client({ connectionString: server.db.ownerUrl });
  await owner.connect();
  await owner.query(`create table app_public.notes (user_id uuid not null, n int not null) partition by range (n);
    create table app_public.notes_1 partition of app_public.notes for values from (0) to (10);
    alter table app_public.notes enable row level security, force row level security;
    create policy select_own on app_public.notes for select to hedgerow_tenant
      using (user_id = (select app_public.current_user_id()));
    grant select on app_public.notes, app_public.notes_1 to hedgerow_tenant`);
  await owner.end();
  await server.db.asAdmin('insert into app_public.notes values ($1, 1), ($2, 2)', [ada.id, bob.id]);
  const { body } = await exportOf(ada).expect(200);
  expect(body.tables.notes).toEqual([{ user_id: ada.id, n: 1 }]);
  expect(body.tables).not.toHaveProperty('notes_1');
  await server.db.asAdmin('drop table app_public.notes');
});

test('an export shows one snapshot', async () => {
  const carol = await signUp(server.app, 'carol');
  await manyTodos(carol, 8000);
  const response = await begin(carol);
  await waitsForReader();
  await server.db.asAdmin('delete from app_public.todos where user_id = $1', [carol.id]);
  await server.db.asAdmin(`update app_public.users set username = 'carol2' where id = $1`, [carol.id]);
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const { tables } = JSON.parse(text);
  expect(tables.todos).toHaveLength(8000);
  expect(tables.users).toMatchObject([{ username: 'carol' }]);
});

test('rows are read as the client takes them: few are in memory, however many there are', async () => {
  const dora = await signUp(server.app, 'dora');
  await manyTodos(dora, 20_000);
  let answer: ServerResponse | undefined;
  http.once('request', (_request, response) => {
    answer = response;
  });
  const response = await begin(dora);
  await waitsForReader();
  expect(answer?.writableLength).toBeLessThan(2_000_000);
  let length = 0;
  for await (const chunk of response) length += chunk.length;
  expect(length).toBeGreaterThan(30_000_000);
  expect(response.complete).toBe(true);
});

test('an error during an export breaks the transfer, so that it does not look complete', async () => {
  const erin = await signUp(server.app, 'erin');
  await manyTodos(erin, 3000);
  // The last row cannot be read.
  await server.db.asAdmin(`create view app_public.poisoned with (security_invoker = true) as
    select title, 1 / (case when title = 'todo 2999' then 0 else 1 end) as one from app_public.todos`);
  await server.db.asAdmin('grant select on app_public.poisoned to hedgerow_tenant');
  const response = await begin(erin);
  expect(response.statusCode).toBe(200);
  let text = '';
  const read = async () => {
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
  };
  await expect(read()).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(text).toContain('"poisoned":[');
  expect(response.complete).toBe(false);
  await server.db.asAdmin('drop view app_public.poisoned');
  await exportOf(erin).expect(200);
});

test('a client that goes away, or stops reading, does not keep its connection', async () => {
  const frank = await signUp(server.app, 'frank');
  await manyTodos(frank, 8000);
  const gone = await begin(frank);
  await waitsForReader();
  gone.on('error', () => {}).destroy();
  await nobodyHolds();

  const silent = (await begin(frank)).on('error', () => {});
  await waitsForReader();
  const broken = new Promise((resolve) => silent.once('close', resolve));
  await nobodyHolds();
  silent.resume();
  await broken;
  expect(silent.complete).toBe(false);
  await exportOf(frank).expect(200);
});

test('a connection that Postgres closes during an export breaks the transfer', async () => {
  const gina = await signUp(server.app, 'gina');
  await manyTodos(gina, 8000);
  const response = await begin(gina);
  await waitsForReader();
  await server.db.asAdmin(
    `select pg_terminate_backend(pid) from pg_stat_activity
    where usename = 'hedgerow_authenticator' and datname = current_database() and state = 'idle in transaction'`,
  );
  const read = async () => {
    for await (const _ of response);
  };
  await expect(read()).rejects.toMatchObject({ code: 'ECONNRESET' });
  await exportOf(gina).expect(200);
});

test('an export may take longer than other requests', async () => {
  const impatient = await startTestServer({ requestTimeout: 1 });
  const hugo = await signUp(impatient.app, 'hugo');
  await impatient.db.asAdmin(`insert into app_public.todos (user_id, title) values ($1, 'x')`, [hugo.id]);
  await impatient.db.asAdmin(
    `create function app_public.slow() returns text language sql volatile as $$ select pg_sleep(1.5)::text $$;
    grant execute on function app_public.slow() to hedgerow_tenant;
    create view app_public.slow_todos with (security_invoker = true) as select title, app_public.slow() from app_public.todos;
    grant select on app_public.slow_todos to hedgerow_tenant`,
  );
  const { body } = await requestTo(impatient.app).get('/auth/export').auth(hugo.token, { type: 'bearer' }).expect(200);
  expect(body.tables.slow_todos).toEqual([{ title: 'x', slow: '' }]);
  await impatient.close();
});

test('an instance runs one export of a tenant and two in all, and says when to come again', async () => {
  const [iris, otto, paul] = await Promise.all(['iris', 'otto', 'paul'].map((name) => signUp(server.app, name)));
  if (!iris || !otto || !paul) throw new Error('a tenant is missing');
  for (const tenant of [iris, otto]) await manyTodos(tenant, 8000);
  const running = await Promise.all([begin(iris), begin(otto)]);
  await waitsForReader();
  expect((await exportOf(iris).expect(429)).headers['retry-after']).toBe('10');
  const { headers, body } = await exportOf(paul).expect(503);
  expect(headers['retry-after']).toMatch(/^\d+$/);
  expect(body).toMatchObject({ status: 503 });
  for (const response of running) {
    for await (const _ of response);
    expect(response.complete).toBe(true);
  }
  await exportOf(iris).expect(200);
});

test('an export needs an active session', async () => {
  const judy = await signUp(server.app, 'judy');
  await requestTo(server.app).get('/auth/export').expect(401);
  await server.db.asAdmin('update app_private.sessions set revoked_at = now() where user_id = $1', [judy.id]);
  await exportOf(judy).expect(401);
});

test('exports are limited to a few an hour', async () => {
  const strict = await startTestServer({ limitFactor: 1 });
  const kim = await signUp(strict.app, 'kim');
  const statuses: number[] = [];
  for (let n = 0; n < 12; n++) {
    const { status } = await requestTo(strict.app).get('/auth/export').auth(kim.token, { type: 'bearer' });
    statuses.push(status);
  }
  await strict.close();
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
});
