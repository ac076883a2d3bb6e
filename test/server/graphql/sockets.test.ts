import { once } from 'node:events';
import jwt from 'jsonwebtoken';
import { WebSocket } from 'ws';
import { keysOf } from '../../../server/auth/tokens/keys.ts';
import { createLog } from '../../../server/http/log.ts';
import { requestTo } from '../../support/requestTo.ts';
import { jwtSecret, signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { begin, greet, openSocket, Socket, subscribed, todoChanged } from '../../support/socket.ts';

const allowedOrigin = 'https://app.example.com';

/** Lines about errors. */
const logged: string[] = [];
let server: TestServer;
let url: string;
let ada: Tenant;
beforeAll(async () => {
  const log = createLog('error', { write: (line) => void logged.push(line) });
  server = await startTestServer({ allowedOrigins: [allowedOrigin], production: true, log });
  url = await server.listen();
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

const claims = ({ token }: Tenant) => jwt.decode(token) as { sub: string; sid: string };

function sign({ sub, sid }: { sub: string; sid: string }, expiresIn: number): string {
  const { issuer, audience } = keysOf({ jwtSecret });
  return jwt.sign({ sid }, jwtSecret, { subject: sub, issuer, audience, expiresIn });
}

async function alive(socket: Socket): Promise<void> {
  socket.subscribe('alive', '{ __typename }');
  while ((await socket.next()).id !== 'alive');
}

test.each([
  ['no token', undefined],
  ['garbage', 'not.a.token'],
  ['1 kB of garbage', 'x'.repeat(1000)],
])('%s is refused, and no connection is used for it', async (_what, token) => {
  const before = { ...server.database.counts };
  const socket = await greet(url, token);
  expect(await socket.closed).toEqual({ code: 4403, reason: 'Forbidden' });
  expect(socket.heard).toEqual([]);
  expect(server.database.counts.waits).toBe(before.waits);
});

test('an expired token is refused, and one whose session has ended', async () => {
  expect((await (await greet(url, sign(claims(ada), -60))).closed).code).toBe(4403);
  const gone = await signUp(server.app, 'gone');
  await server.db.asAdmin('update app_private.sessions set revoked_at = now() where id = $1', [claims(gone).sid]);
  expect(await (await greet(url, gone.token)).closed).toEqual({ code: 4401, reason: 'The session has ended' });
});

test('a socket that subscribes before it signs in is refused', async () => {
  const socket = new Socket(url);
  await once(socket.raw, 'open');
  socket.subscribe('1', todoChanged);
  expect((await socket.closed).code).toBe(4401);
});

test('a silent socket is closed', async () => {
  const socket = new Socket(url);
  expect((await socket.closed).code).toBe(4408);
});

test('a socket ends when its token does', async () => {
  const socket = await openSocket(url, sign(claims(ada), 2));
  await alive(socket);
  expect(await socket.closed).toEqual({ code: 4403, reason: 'The token has expired' });
});

test.each([
  ['the session is revoked', 'update app_private.sessions set revoked_at = now() where user_id = $1'],
  ['the session is deleted', 'delete from app_private.sessions where user_id = $1'],
  ['the session expires early', 'update app_private.sessions set expires_at = now() where user_id = $1'],
  ['the user is deactivated', 'update app_private.credentials set is_active = false where user_id = $1'],
  ['the user is deleted', 'delete from app_public.users where id = $1'],
])('a socket ends when %s, and those of others do not', async (what, text) => {
  const bob = await signUp(server.app, what.replaceAll(' ', '_'));
  const [theirs, mine] = [await openSocket(url, bob.token), await openSocket(url, ada.token)];
  await server.db.asAdmin(text, [bob.id]);
  expect(await theirs.closed).toEqual({ code: 4401, reason: 'The session has ended' });
  await alive(mine);
  mine.raw.terminate();
});

test("when another issuer's tokens end, the sockets of their user do", async () => {
  const zoe = await signUp(server.app, 'zoe');
  await server.db.asAdmin(
    `insert into app_private.external_identities (issuer, subject, user_id) values ('https://issuer.example', 'zoe', $1)`,
    [zoe.id],
  );
  const [theirs, mine] = [await openSocket(url, zoe.token), await openSocket(url, ada.token)];
  await server.db.asAdmin('update app_private.external_identities set not_before = now() where user_id = $1', [zoe.id]);
  expect((await theirs.closed).code).toBe(4401);
  await alive(mine);
  mine.raw.terminate();
});

test('many sessions that end in one statement end their sockets', async () => {
  const bob = await signUp(server.app, 'bob');
  const [theirs, mine] = [await openSocket(url, bob.token), await openSocket(url, ada.token)];
  await server.db.asAdmin(
    `insert into app_private.sessions (user_id, family_hash, refresh_token_hash, expires_at)
      select $1, sha256(('family' || n)::bytea), sha256(n::text::bytea), now() + interval '1 day' from generate_series(1, 200) n`,
    [bob.id],
  );
  await server.db.asAdmin('update app_private.sessions set revoked_at = now() where user_id = $1', [bob.id]);
  expect((await theirs.closed).code).toBe(4401);
  await alive(mine);
  mine.raw.terminate();
});

test('an end that was not notified is found at the next event, and after a gap', async () => {
  const bob = await signUp(server.app, 'unnotified');
  const revoke = (bySession: string) =>
    server.db.asAdmin(
      `do $$ begin set local session_replication_role = replica;
        update app_private.sessions set revoked_at = now() where id = '${bySession}'; end $$`,
    );
  const atEvent = await subscribed(url, bob.token, todoChanged);
  await revoke(claims(bob).sid);
  await server.db.asAdmin("insert into app_public.todos (user_id, title) values ($1, 'secret')", [bob.id]);
  expect((await atEvent.closed).code).toBe(4401);
  expect(atEvent.heard.filter(({ type }) => type === 'next')).toEqual([]);

  const { body } = await requestTo(server.app)
    .post('/auth/login')
    .send({ email: bob.email, password: bob.password })
    .expect(200);
  const afterGap = await openSocket(url, body.accessToken);
  await revoke((jwt.decode(body.accessToken) as { sid: string }).sid);
  await server.db.asAdmin(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'hedgerow listener' and datname = current_database()`,
  );
  expect((await afterGap.closed).code).toBe(4401);
});

test('a user has ten sockets and no more, and another one when one of them has closed', async () => {
  const bob = await signUp(server.app, 'ten');
  const sockets = await Promise.all(Array.from({ length: 10 }, () => openSocket(url, bob.token)));
  expect((await (await greet(url, bob.token)).closed).code).toBe(4429);
  sockets[0]?.raw.close();
  await sockets[0]?.closed;
  sockets[0] = await openSocket(url, bob.token);
  for (const socket of sockets) await alive(socket);
  for (const socket of sockets) socket.raw.terminate();
});

test('a socket has twenty subscriptions and no more', async () => {
  const socket = await openSocket(url, ada.token);
  for (let n = 1; n <= 20; n++) await begin(socket, todoChanged).catch(() => {});
  socket.subscribe('one too many', todoChanged);
  const refusal = await socket.next();
  expect(refusal).toMatchObject({ id: 'one too many', type: 'error' });
  expect(refusal.payload[0].extensions.code).toBe('TOO_COMPLEX');
  socket.raw.terminate();
});

test.each([
  ['https://evil.example.com', 403],
  ['null', 403],
  ['http://app.example.com', 403],
  [allowedOrigin, 101],
])('a page of %s is answered %d', async (origin, status) => {
  const socket = new Socket(url, { Origin: origin });
  const opened = once(socket.raw, 'open').then(() => 101);
  const refused = once(socket.raw, 'unexpected-response').then(([, response]) => response.statusCode);
  expect(await Promise.race([opened, refused])).toBe(status);
  socket.raw.terminate();
});

test('a page of the server itself may connect', async () => {
  const socket = await greet(url, ada.token, { Origin: url });
  expect(await socket.next()).toEqual({ type: 'connection_ack' });
  socket.raw.terminate();
});

test('other paths accept no WebSocket', async () => {
  const raw = new WebSocket(`${url.replace('http', 'ws')}/elsewhere`, 'graphql-transport-ws');
  raw.on('error', () => {});
  const [, response] = await once(raw, 'unexpected-response');
  expect(response.statusCode).toBe(404);
  raw.terminate();
});

test('queries and mutations are refused, and not done', async () => {
  const socket = await openSocket(url, ada.token);
  for (const document of [
    '{ todos { totalCount } }',
    'mutation { createTodo(input: {todo: {title: "ws"}}) { todo { title } } }',
  ]) {
    socket.subscribe('1', document);
    const refusal = await socket.next();
    expect(refusal).toMatchObject({ id: '1', type: 'error' });
    expect(refusal.payload).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  }
  expect(await server.db.asAdmin("select from app_public.todos where title = 'ws'")).toEqual([]);
  socket.raw.terminate();
});

test('invalid documents differ from server faults and reveal nothing of the schema', async () => {
  const socket = await openSocket(url, ada.token);
  for (const document of [
    'subscription {',
    'subscription { todoChange { event } }',
    'subscription { __schema { types { name } } }',
  ]) {
    socket.subscribe('1', document);
    const { type, payload } = await socket.next();
    expect(type).toBe('error');
    expect(payload[0].extensions.code).toBe('BAD_USER_INPUT');
    expect(JSON.stringify(payload)).not.toMatch(/Did you mean|todoChanged/);
  }
  await alive(socket);
  socket.raw.terminate();
});

const none = 'The subscription selects no field: @skip or @include leave none.';
const change = 'todoChanged { event }';
const switched = 'subscription ($yes: Boolean!, $no: Boolean = false)';

test.each([
  ['a field skipped in a fragment', `subscription { ... on Subscription @skip(if: true) { ${change} } }`, none],
  ['a fragment that is not included', `subscription { ... @include(if: false) { ${change} } }`, none],
  ['a spread that is skipped', `subscription { ...F @skip(if: true) } fragment F on Subscription { ${change} }`, none],
  [
    'a field skipped in a spread',
    `subscription { ...F } fragment F on Subscription { todoChanged @skip(if: true) { event } }`,
    none,
  ],
  ['a skipped field', 'subscription { todoChanged @skip(if: true) { event } }', none],
  [
    'a field that is both included and skipped',
    'subscription { todoChanged @include(if: true) @skip(if: true) { event } }',
    none,
  ],
  ['a field that a variable skips', `${switched} { todoChanged @skip(if: $yes) { event } }`, undefined],
  [
    'a field that a default does not include',
    `${switched} { todoChanged @include(if: $no) { event } other: todoChanged @skip(if: $yes) { event } }`,
    undefined,
  ],
  [
    'two fields of which variables leave both',
    `${switched} { todoChanged @include(if: $yes) { event } listChanged @skip(if: $no) { event } }`,
    undefined,
  ],
  ['two fields', `subscription { ${change} listChanged { event } }`, undefined],
  [
    'an introspection field that variables leave',
    `${switched} { __typename @include(if: $yes) todoChanged @include(if: $no) { event } }`,
    undefined,
  ],
  [
    'a directive whose variable has no value',
    'subscription ($none: Boolean!) { todoChanged @skip(if: $none) { event } }',
    undefined,
  ],
])("a subscription of %s is the client's mistake, and fills no log", async (_, query, message) => {
  logged.length = 0;
  const socket = await openSocket(url, ada.token);
  socket.send({ id: '1', type: 'subscribe', payload: { query, variables: { yes: true } } });
  const { type, payload } = await socket.next();
  expect(type).toBe('error');
  expect(payload).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  if (message) expect(payload[0].message).toBe(message);
  const { body, status } = await ada.graphql(query, { yes: true });
  expect(status).toBeLessThan(500);
  expect(body.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  expect(logged).toEqual([]);
  socket.raw.terminate();
});

test('a subscription over HTTP is refused', async () => {
  const { body, status } = await ada.graphql(todoChanged);
  expect(status).toBeLessThan(500);
  expect(body.data?.todoChanged ?? null).toBeNull();
  expect(body.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
});

test('a malformed frame ends only its own socket', async () => {
  const mine = await openSocket(url, ada.token);
  const bad = async (send: (socket: Socket) => void) => {
    const socket = await openSocket(url, ada.token);
    send(socket);
    return (await socket.closed).code;
  };
  expect(await bad((socket) => socket.send('{'))).toBe(4400);
  expect(await bad((socket) => socket.send({ type: 'nonsense' }))).toBe(4400);
  expect(await bad((socket) => socket.raw.send(Buffer.of(0, 255)))).toBe(4400);
  expect(await bad((socket) => socket.send({ type: 'connection_init' }))).toBe(4429);
  expect(await bad((socket) => socket.send(`"${'x'.repeat(100_000)}"`))).toBe(1009);
  // A frame with a reserved bit set.
  expect(
    await bad((socket) =>
      (socket.raw as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(Buffer.of(0xff, 0xff, 1, 2)),
    ),
  ).toBe(1002);
  await alive(mine);
  mine.raw.terminate();
});

test('sockets, subscriptions and events are counted', async () => {
  const socket = await subscribed(url, ada.token, todoChanged);
  const { text } = await requestTo(server.app).get('/metrics');
  expect(text).toMatch(/^live_sockets [1-9]/m);
  expect(text).toMatch(/^live_subscriptions [1-9]/m);
  const events = Number(/^live_events_total (\d+)$/m.exec(text)?.[1]);
  await ada.graphql('mutation { createTodo(input: {todo: {title: "counted"}}) { todo { title } } }');
  await socket.event();
  expect((await requestTo(server.app).get('/metrics')).text).toContain(`live_events_total ${events + 1}\n`);
  expect(text).toMatch(/^live_reconnects_total \d/m);
  socket.raw.terminate();
});
