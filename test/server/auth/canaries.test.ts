import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createLog } from '../../../server/http/log.ts';
import { requestTo } from '../../support/requestTo.ts';
import { jwtSecret, startTestServer, type TestServer } from '../../support/server.ts';

const lines: string[] = [];
/** Secrets that the server has issued, the hashes that it stores, and its own keys. */
const secrets = new Set<string>([jwtSecret]);
let server: TestServer;
let mailbox: string;

beforeAll(async () => {
  mailbox = await mkdtemp(join(tmpdir(), 'hedgerow-mail-'));
  const log = createLog('trace', { write: (line) => void lines.push(line) });
  server = await startTestServer({
    ...{ log, requestTimeout: 1, limitFactor: 1, trustProxy: 1, mail: { directory: mailbox } },
  });
  secrets.add(server.db.serverUrl).add(new URL(server.db.serverUrl).password);
});

afterAll(async () => {
  await server.close();
  await rm(mailbox, { recursive: true });
});

const mark = 'Canary7f3a';

/** A value that nobody but a client has ever written. */
const canary = () => `${mark}${randomBytes(10).toString('hex')}`;

/** A client's own address, an account that it has, and what its calls were answered. */
interface Client {
  readonly address: string;
  readonly account: { email: string; username: string; password: string };
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly statuses: number[];
}

type Call = readonly [method: 'get' | 'post' | 'delete', path: string, body?: object | string];

/** Sends a request with a canary wherever there is room for one, and keeps the tokens that it is answered. */
async function call(
  [method, path, body]: Call,
  { address, accessToken, statuses }: Omit<Client, 'account' | 'refreshToken'>,
) {
  const response = await requestTo(server.app)
    [method](`${path}?token=${canary()}&${canary()}`)
    .set({ 'X-Forwarded-For': address, Authorization: `Bearer ${accessToken}`, Cookie: `session=${canary()}` })
    .set({ 'User-Agent': canary(), 'X-Request-Id': canary(), 'Content-Type': 'application/json' })
    .send(body);
  statuses.push(response.status);
  for (const token of [response.body?.accessToken, response.body?.refreshToken]) {
    for (const part of token ? [token, token.split('.').at(-1)] : []) secrets.add(part);
  }
  return response;
}

let clients = 0;

/** A new client with a new account. */
async function newClient(): Promise<Client> {
  const username = canary();
  const account = { email: `${username}@example.com`, username, password: canary() };
  const client = { address: `198.18.0.${++clients}`, statuses: [] as number[] };
  const { status, body } = await call(['post', '/auth/register', account], { ...client, accessToken: canary() });
  expect(status).toBe(201);
  return { ...client, account, accessToken: body.accessToken, refreshToken: body.refreshToken };
}

const createTodo = 'mutation ($todo: TodoInput!) { createTodo(input: {todo: $todo}) { todo { id title } } }';
const graphql = (query: string, variables = {}): Call => ['post', '/graphql', { query, variables }];

/** Matches tokens of mail and both halves of refresh tokens. */
const shapedToken = () => `${`${canary()}${canary()}`.slice(0, 42)}A`;

/** Every route, with what is right and what is wrong; what ends sessions comes last. */
function calls({ account: { email, password }, refreshToken }: Client): Call[] {
  const changed = canary();
  return [
    ['post', '/auth/register', { email: `${canary()}@example.com`, username: canary(), password: canary() }],
    ['post', '/auth/register', { email, username: canary(), password: canary() }],
    ['post', '/auth/register', { email: canary(), username: `${canary()}!`, password: mark.slice(0, 9) }],
    ['post', '/auth/register', `{"password": "${canary()}", "email": ${canary()}`],
    ['post', '/auth/login', { email, password }],
    ['post', '/auth/login', { email, password: canary() }],
    ['post', '/auth/login', { email: `${canary()}@example.com`, password: canary() }],
    ['post', '/auth/login', { email, password: { [canary()]: canary() } }],
    ['post', '/auth/login', `{"password": "${canary()}`],
    ['post', '/auth/login', { email, password: canary().repeat(5000) }],
    ['post', '/auth/refresh', { refreshToken }],
    ['post', '/auth/refresh', { refreshToken: canary() }],
    ['post', '/auth/refresh', { refreshToken: `${shapedToken()}.${shapedToken()}` }],
    ['post', '/auth/logout', { refreshToken: `${shapedToken()}.${shapedToken()}` }],
    ['get', '/auth/me'],
    ['get', '/auth/sessions'],
    ['get', '/auth/export'],
    graphql(createTodo, { todo: { title: canary(), description: canary() } }),
    graphql(createTodo, { todo: { title: canary(), priority: 9 } }),
    graphql(createTodo, { todo: { title: `${canary()}\0` } }),
    graphql(createTodo, { todo: { title: canary(), [canary()]: canary() } }),
    graphql(`{ todos(filter: {title: {equalTo: "${canary()}"}}) { totalCount nodes { nonsense } } }`),
    graphql(`{ "${canary()}`),
    ['post', '/auth/email/send'],
    ['post', '/auth/email/verify', { token: shapedToken() }],
    ['post', '/auth/password/forgot', { email }],
    ['post', '/auth/password/forgot', { email: `${canary()}@example.com` }],
    ['post', '/auth/password/reset', { token: canary(), newPassword: canary() }],
    ['post', '/auth/password/reset', { token: shapedToken(), newPassword: canary() }],
    ['post', '/auth/password', { currentPassword: canary(), newPassword: canary() }],
    ['post', '/auth/password', { currentPassword: password, newPassword: changed }],
    ['post', '/auth/deactivate', { password: canary() }],
    ['delete', '/auth/me', { password: canary() }],
    ['post', '/auth/logout-all'],
  ];
}

async function callAll(client: Client): Promise<number[]> {
  const from = client.statuses.length;
  for (const one of calls(client)) await call(one, client);
  return client.statuses.slice(from);
}

/** Adds every hash that the database has just now, in the forms that people print them in. */
async function rememberHashes(): Promise<void> {
  const rows = await server.db.asAdmin<{ secret: string }>(`
    select password_hash as secret from app_private.credentials where password_hash is not null
    union
    select encode(hash, format) from (
      select unnest(array[family_hash, refresh_token_hash, previous_token_hash, sealed_successor]) from app_private.sessions
      union all select token_hash from app_private.mail_tokens
    ) hashes (hash), (values ('hex'), ('base64')) formats (format) where hash is not null`);
  for (const { secret } of rows) secrets.add(secret).add(secret.replaceAll('+', '-').replaceAll('/', '_').slice(0, 43));
}

/** The tokens that were sent by mail to the address, once there are `count`. */
async function mailed(address: string, count: number): Promise<string[]> {
  for (;;) {
    const files = (await readdir(mailbox)).sort();
    const messages = await Promise.all(files.map((name) => readFile(join(mailbox, name), 'utf8')));
    const tokens = messages.flatMap((text) =>
      text.toLowerCase().includes(address.toLowerCase()) ? (/^[\w-]{43}$/m.exec(text) ?? []) : [],
    );
    for (const token of tokens) secrets.add(token);
    if (tokens.length >= count) return tokens;
    await sleep(20);
  }
}

/** How a canary begins, as it is and as programs encode it: in base64 it depends on what stands before it. */
const marks = [
  mark,
  ...[mark, mark.toLowerCase()].map((text) => Buffer.from(text).toString('hex')),
  ...[mark, mark.toLowerCase()].flatMap((text) =>
    [0, 1, 2].map((before) => {
      const encoded = Buffer.from('.'.repeat(before) + text).toString('base64');
      return encoded.slice([0, 2, 3][before], Math.floor(((before + text.length) * 8) / 6));
    }),
  ),
].map((text) => text.toLowerCase());

/** The secrets that `log` contains. */
function leaksIn(log: string): string[] {
  const lower = log.toLowerCase();
  return [
    ...marks.filter((text) => lower.includes(text)),
    ...[...secrets].filter((secret) => log.includes(secret)),
    ...[/\$argon2[^"]*/, /\beyJ[\w-]+\.[\w-]+\.[\w-]+/].flatMap((shape) => shape.exec(log)?.[0] ?? []),
  ];
}

/** That nothing was logged which must not be, by a server that did log, down to the request of `client`. */
async function expectNoLeak({ address }: Client): Promise<void> {
  await rememberHashes();
  const log = lines.join('');
  expect(log).toContain(`"ip":"${address}"`);
  expect(leaksIn(log)).toEqual([]);
}

test('routes that succeed, and routes that refuse bad input, log no secret', async () => {
  const client = await newClient();
  await rememberHashes();
  const statuses = await callAll(client);
  expect(statuses).toEqual(expect.arrayContaining([200, 201, 202, 204, 400, 401, 409]));
  await expectNoLeak(client);
});

test('mail tokens are not logged', async () => {
  const client = await newClient();
  const [verification] = await mailed(client.account.email, 1);
  await call(['post', '/auth/password/forgot', { email: client.account.email }], client);
  const reset = (await mailed(client.account.email, 2)).find((token) => token !== verification);
  await rememberHashes();
  await call(['post', '/auth/email/verify', { token: verification }], client);
  await call(['post', '/auth/password/reset', { token: reset, newPassword: canary() }], client);
  await call(['post', '/auth/password/reset', { token: reset, newPassword: canary() }], client);
  expect(client.statuses.slice(1)).toEqual([202, 204, 204, 400]);
  await expectNoLeak(client);
});

test('deactivating and deleting an account logs no secret', async () => {
  const [deactivated, deleted] = [await newClient(), await newClient()];
  await rememberHashes();
  const { password } = deactivated.account;
  const deactivate: Call = ['post', '/auth/deactivate', { password }];
  expect((await call(deactivate, deactivated)).status).toBe(204);
  expect((await call(['delete', '/auth/me', { password: deleted.account.password }], deleted)).status).toBe(204);
  expect((await call(['get', '/auth/me'], deleted)).status).toBe(401);
  await expectNoLeak(deleted);
});

test('a client without a valid token logs no secret', async () => {
  const client = await newClient();
  const parts = client.accessToken.split('.');
  for (const garbage of [canary(), `${client.accessToken}x`, [parts[0], canary(), parts[2]].join('.'), '{', '']) {
    for (const path of ['/auth/me', '/auth/export'])
      expect((await call(['get', path], { ...client, accessToken: garbage })).status).toBe(401);
    expect((await call(graphql('{ __typename }'), { ...client, accessToken: garbage })).status).toBe(401);
  }
  await expectNoLeak(client);
});

test('a client with too many attempts logs no secret', async () => {
  const client = await newClient();
  await callAll(await newClient());
  await server.db.asAdmin(
    `insert into app_private.rate_limits select action || ':address:' || $1, 100000, (extract(epoch from now()) * 1000)::bigint + 60000
    from unnest(array['register', 'login', 'refresh', 'password', 'mail', 'export']) action
    on conflict (key) do update set points = excluded.points`,
    [client.address],
  );
  expect((await callAll(client)).filter((status) => status === 429).length).toBeGreaterThan(10);
  await expectNoLeak(client);
});

test.each([
  'app_public.users',
  'app_private.credentials',
  'app_private.sessions',
  'app_private.mail_tokens',
  'app_private.audit_log',
  'app_private.rate_limits',
])('a fault of the database that quotes the row: %s', async (table) => {
  const client = await newClient();
  const before = lines.length;
  await server.db.asAdmin(`alter table ${table} add constraint broken check (false) not valid`);
  await callAll(client);
  await server.db.asAdmin(`alter table ${table} drop constraint broken`);
  expect(lines.slice(before).filter((line) => line.includes('"constraint":"broken"'))).not.toEqual([]);
  await expectNoLeak(client);
});

test('requests that time out log no secret', async () => {
  const client = await newClient();
  const blocker = new pg.Client({ connectionString: server.db.adminUrl });
  await blocker.connect();
  await blocker.query('begin; lock table app_private.credentials, app_public.users');
  await Promise.all(calls(client).map((one) => call(one, client)));
  await blocker.end();
  expect(client.statuses).toContain(503);
  await expectNoLeak(client);
});

test('the search finds what it is to find', async () => {
  const { accessToken } = await newClient();
  await rememberHashes();
  const [{ password_hash: hash } = {}] = await server.db.asAdmin('select password_hash from app_private.credentials');
  const [{ token } = {}] = await server.db.asAdmin<{ token: string }>(
    "select encode(refresh_token_hash, 'base64') as token from app_private.sessions",
  );
  const one = canary();
  const encoded = (text: string) => [text, Buffer.from(text).toString('hex'), Buffer.from(text).toString('base64')];
  const leaking = [
    ...[one, one.toLowerCase(), `a${one}`, `ab${one}`].flatMap(encoded),
    ...[accessToken, hash, token, jwtSecret, server.db.serverUrl],
    jwtSecret,
  ];
  for (const text of leaking) expect(leaksIn(`${lines[0]}{"msg":"${text}"}\n`)).not.toEqual([]);
  expect(leaksIn(lines[0] as string)).toEqual([]);
});
