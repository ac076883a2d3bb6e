import { randomUUID } from 'node:crypto';
import { createLog } from '../../server/http/log.ts';
import { createTestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';
import { requestTo } from '../support/requestTo.ts';
import { jwtSecret, signUp, startTestServer, type TestServer } from '../support/server.ts';

const canary = 'canary-7f3a';
const password = `${canary}-password`;

/** A log that is kept, line by line. */
function keptLog() {
  const lines: string[] = [];
  return { lines, log: createLog('trace', { write: (line) => void lines.push(line) }) };
}

/** Everything in `db` that no log may repeat. */
async function secretsIn({ db }: Pick<TestServer, 'db'>): Promise<string[]> {
  const rows = await db.asAdmin<{ secret: string }>(
    `select password_hash as secret from app_private.credentials
    union all select encode(refresh_token_hash, format) from app_private.sessions, (values ('hex'), ('base64')) f (format)`,
  );
  return [...rows.map(({ secret }) => secret), db.serverUrl, new URL(db.serverUrl).password, jwtSecret];
}

/** Sends values to every place that takes one, good and bad, some of which the database refuses. Gives the tokens. */
async function sendCanaries(app: string | TestServer['app']): Promise<string[]> {
  const post = (path: string, body: object) => requestTo(app).post(path).send(body);
  const account = { email: `${canary}@example.com`, username: canary, password };
  const { body: registered } = await post('/auth/register', account).expect(201);
  await post('/auth/register', account).expect(409);
  await post('/auth/register', { ...account, email: canary, username: `${canary}!` }).expect(400);
  const { body: signedIn } = await post('/auth/login', account).expect(200);
  await post('/auth/login', { ...account, password: `${password} wrong` }).expect(401);
  await requestTo(app)
    .post('/auth/login')
    .set('Content-Type', 'application/json')
    .send(`{"password": "${canary}`)
    .expect(400);
  await requestTo(app)
    .get(`/auth/me?access_token=${signedIn.accessToken}`)
    .set('Cookie', `token=${canary}`)
    .expect(401);
  await requestTo(app).get(`/health?${canary}`).set({ 'X-Request-Id': canary, 'User-Agent': canary });

  const send = (query: string, variables: object, token = signedIn.accessToken) =>
    post('/graphql', { query, variables }).auth(token, { type: 'bearer' });
  await send('{ __typename }', {}, `${signedIn.accessToken}x`).expect(401);
  const create = 'mutation ($todo: TodoInput!) { createTodo(input: {todo: $todo}) { todo { id title } } }';
  const createList = 'mutation ($name: String!) { createList(input: {list: {name: $name}}) { list { id } } }';
  const byId = 'mutation ($id: ID!) { deleteTodoById(input: {id: $id}) { deletedTodoId } }';
  const codes: (string | undefined)[] = [];
  for (const [query, variables] of [
    [create, { todo: { title: canary, description: canary } }],
    [create, { todo: { title: canary.repeat(50) } }],
    [create, { todo: { title: canary, priority: 9 } }],
    [create, { todo: { title: canary, listId: randomUUID() } }],
    [create, { todo: { title: `${canary}\0` } }],
    [create, { todo: { title: canary, dueDate: canary } }],
    [create, { todo: { title: canary, nonsense: canary } }],
    [create, { todo: canary }],
    [createList, { name: canary }],
    [createList, { name: canary }],
    [byId, { id: canary }],
    [byId, { id: Buffer.from(JSON.stringify(['Todo', canary])).toString('base64') }],
    ['query ($id: ID!) { node(id: $id) { id } }', { id: canary }],
    ['query ($after: Cursor) { todos(after: $after) { totalCount } }', { after: canary }],
    ['query ($title: String!) { todos(filter: {title: {like: $title}}) { totalCount } }', { title: `${canary}\\` }],
    [`{ todos(condition: {title: "${canary}"}) { totalCount nodes { nonsense } } }`, {}],
    [`{ "${canary}`, {}],
  ] as const) {
    codes.push((await send(query, variables)).body.errors?.[0]?.extensions?.code);
  }
  expect(new Set(codes)).toEqual(new Set([undefined, 'BAD_USER_INPUT', 'CONFLICT', 'NOT_FOUND']));
  return [registered, signedIn].flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken]);
}

test('no secret and no value that a client sent is in the log, at any level', async () => {
  const { log, lines } = keptLog();
  const server = await startTestServer({ log });
  const tokens = await sendCanaries(server.app);
  const secrets = await secretsIn(server);
  await server.close();

  const written = lines.join('');
  expect(lines.length).toBeGreaterThan(20);
  expect(written).toContain('"path":"/graphql"');
  for (const secret of [canary, ...tokens, ...tokens.map((token) => token.split('.').at(-1) as string), ...secrets])
    expect(written).not.toContain(secret);
});

test('a fault of the server is logged under the id that the client got, without what the database quotes', async () => {
  const { log, lines } = keptLog();
  const server = await startTestServer({ log });
  const ada = await signUp(server.app, 'ada');
  await server.db.asAdmin(`
    create function app_private.fail() returns trigger language plpgsql as $$
      begin
        raise exception 'about %', new.title using detail = new.title, hint = new.title, table = 'todos';
      end $$`);
  await server.db.asAdmin(
    'create trigger fail before insert on app_public.todos for each row execute function app_private.fail()',
  );
  const { body } = await ada.graphql(`mutation { createTodo(input: {todo: {title: "${canary}"}}) { todo { id } } }`);
  expect(body.errors).toMatchObject([{ extensions: { code: 'INTERNAL', id: expect.any(String) } }]);
  expect(JSON.stringify(body)).not.toContain(canary);

  await server.db.asAdmin('drop trigger fail on app_public.todos');
  await server.db.asAdmin('alter table app_private.credentials add check (password_hash is null) not valid');
  const refused = await requestTo(server.app)
    .post('/auth/register')
    .send({ email: `${canary}@example.com`, username: canary, password })
    .expect(500);
  expect(refused.text).not.toMatch(/canary|credentials|check|insert/);
  await server.close();

  const written = lines.join('');
  const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level >= 50);
  expect(errors).toContainEqual(expect.objectContaining({ id: body.errors[0].extensions.id }));
  expect(errors.map(({ err }) => err?.code)).toEqual(expect.arrayContaining(['P0001', '23514']));
  expect(written).not.toContain(canary);
  expect(written).not.toContain('$argon2id$');
});

test('an error with secrets in its properties is logged without them', () => {
  const { log, lines } = keptLog();
  const secrets = {
    password: canary,
    refreshToken: canary,
    accessToken: canary,
    authorization: canary,
    cookie: canary,
  };
  log.error({ err: Object.assign(new Error('failed'), secrets), request: { headers: secrets } }, 'failed');
  log.info({ ...secrets, body: secrets }, 'input');
  expect(lines.join('')).not.toContain(canary);
});

test('what is told of a database that is away has no connection string in it', async () => {
  const { log, lines } = keptLog();
  const serverUrl = `postgres://hedgerow_authenticator:${canary}@127.0.0.1:1/hedgerow`;
  const database = openConnections({ serverUrl, preparedStatements: true }, {}, log);
  const error: Error = await database.inspect({ text: 'select 1' }).catch((error) => error);
  log.error({ err: error }, 'failed');
  await database.close();
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  expect(lines.join('')).not.toContain(canary);
});

test('the process writes nothing beside its log that tells more', async () => {
  const db = await createTestDatabase();
  const server = spawnServer({ ...productionEnv(db), LOG_LEVEL: 'trace', DRAIN_DELAY: '0' });
  const tokens = await sendCanaries(await server.url);
  const secrets = await secretsIn({ db });
  server.stop('SIGTERM');
  expect(await server.exitCode).toBe(0);
  for (const line of server.output().trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  for (const secret of [canary, ...tokens, ...secrets]) expect(server.output()).not.toContain(secret);
  await killServers();
  await db.drop();
});
