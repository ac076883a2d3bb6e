import pg from 'pg';
import type supertest from 'supertest';
import { requestTo } from '../support/requestTo.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const password = 'a password long enough';
const post = (path: string, body: object) => requestTo(server.app).post(path).send(body);
const register = (username: string, email = `${username}@example.com`) =>
  post('/auth/register', { email, username, password });

const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const signedIn = (user: object) => ({
  user: { id: uuid, ...user },
  accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
  tokenType: 'Bearer',
  expiresIn: 900,
  refreshToken: expect.stringMatching(/^[\w-]{43}\.[\w-]{43}$/),
});

test('registering signs in', async () => {
  const { body } = await register('ada').expect(201);
  expect(body).toEqual(signedIn({ email: 'ada@example.com', username: 'ada' }));
  const me = await requestTo(server.app).get('/auth/me').auth(body.accessToken, { type: 'bearer' }).expect(200);
  expect(me.body).toEqual({ ...body.user, createdAt: expect.any(String) });
  expect(Date.parse(me.body.createdAt)).not.toBeNaN();
  const claims = JSON.parse(Buffer.from(body.accessToken.split('.')[1], 'base64url').toString());
  expect(claims).toEqual({
    ...{ sub: body.user.id, sid: uuid, iss: 'hedgerow', aud: 'hedgerow' },
    ...{ iat: expect.any(Number), exp: claims.iat + 900 },
  });
});

test('signing in again is a session of its own', async () => {
  const { body: first } = await register('bob').expect(201);
  const { body } = await post('/auth/login', { email: 'bob@example.com', password }).expect(200);
  expect(body).toEqual(signedIn(first.user));
  expect(body.refreshToken).not.toBe(first.refreshToken);
  expect(await server.db.asAdmin('select from app_private.sessions where user_id = $1', [body.user.id])).toHaveLength(
    2,
  );
});

test('an address is the same in any case and with spaces around it, and is stored in lower case', async () => {
  await register('carol', ' Carol@Example.COM ').expect(201);
  expect(await server.db.asAdmin(`select email from app_public.users where username = 'carol'`)).toEqual([
    { email: 'carol@example.com' },
  ]);
  await post('/auth/login', { email: 'CAROL@example.com', password }).expect(200);
});

test.each([
  ['email', 'DAVE@example.com', 'dave2'],
  ['username', 'dave2@example.com', 'DAVE'],
])('a taken %s is a conflict, in any case', async (field, email, username) => {
  await register('dave');
  const { body } = await register(username, email).expect(409);
  expect(body).toEqual({
    ...{ type: 'about:blank', title: 'Conflict', status: 409, detail: `This ${field} is taken.` },
    errors: [{ path: field, message: `this ${field} is taken` }],
  });
});

test('a registration that failed leaves nothing behind', async () => {
  await register('erin').expect(201);
  const count = () =>
    server.db.asAdmin(
      `select (select count(*) from app_public.users) as users, (select count(*) from app_private.credentials) as credentials,
      (select count(*) from app_private.sessions) as sessions`,
    );
  const before = await count();
  await register('erin').expect(409);
  await register('x').expect(400);
  expect(await count()).toEqual(before);
});

const good = { email: 'frank@example.com', username: 'frank', password };
const bad: [string[], object][] = [
  [['email', 'password', 'username'], {}],
  [['email'], { ...good, email: 'frank' }],
  [['email'], { ...good, email: `${'f'.repeat(250)}@example.com` }],
  [['email'], { ...good, email: ['frank@example.com'] }],
  [['username'], { ...good, username: 'fr' }],
  [['username'], { ...good, username: 'f'.repeat(51) }],
  [['username'], { ...good, username: 'frank smith' }],
  [['username'], { ...good, username: 'frank\n' }],
  [['password'], { ...good, password: 'nine char' }],
  [['password'], { ...good, password: 'x'.repeat(129) }],
  [['password'], { ...good, password: null }],
  [['email', 'password'], { username: 'frank', email: 1, password: 1 }],
  [['email'], { ...good, email: 'fr\0ank@example.com' }],
];

test.each(bad)('what is wrong with %j is said by its path: %j', async (paths, body) => {
  const answer = await post('/auth/register', body).expect(400);
  expect(answer.body).toMatchObject({ title: 'Bad Request', status: 400, detail: expect.any(String) });
  const named: { path: string; message: string }[] = answer.body.errors;
  expect([...new Set(named.map(({ path }) => path))].sort()).toEqual(paths);
  for (const { message } of named) expect(message).toMatch(/^(email|username|password) (is|must)/);
});

test('a password of 128 characters in any script is kept whole', async () => {
  const long = '🌿é'.repeat(42).slice(0, 128);
  await post('/auth/register', { ...good, password: long }).expect(201);
  await post('/auth/login', { email: good.email, password: long }).expect(200);
  await post('/auth/login', { email: good.email, password: long.slice(0, -1) }).expect(401);
});

test('a wrong password, an unknown account and an inactive one get the same answer', async () => {
  await register('grace').expect(201);
  await register('heidi').expect(201);
  await server.db.asAdmin(
    `update app_private.credentials set is_active = false
    where user_id = (select id from app_public.users where username = 'heidi')`,
  );
  const [wrong, unknown, inactive] = await Promise.all([
    post('/auth/login', { email: 'grace@example.com', password: 'a wrong password' }),
    post('/auth/login', { email: 'nobody@example.com', password }),
    post('/auth/login', { email: 'heidi@example.com', password }),
  ]);
  expect(wrong.status).toBe(401);
  expect(wrong.body).toMatchObject({ status: 401, detail: 'The email address or the password is wrong.' });
  const shown = ({ status, body, headers }: supertest.Response) => [status, body, Object.keys(headers).sort()];
  expect(shown(unknown)).toEqual(shown(wrong));
  expect(shown(inactive)).toEqual(shown(wrong));
});

test('neither the password nor the refresh token is stored', async () => {
  const { body } = await register('ivan').expect(201);
  const parts = body.refreshToken.split('.').map((part: string) => Buffer.from(part, 'base64url'));
  const [stored] = await server.db.asAdmin(
    `select c.password_hash, s.family_hash = sha256($2) and s.refresh_token_hash = sha256($3) as hashed, to_jsonb(c)::text || to_jsonb(s)::text as all
    from app_private.credentials c join app_private.sessions s using (user_id) where user_id = $1`,
    [body.user.id, ...parts],
  );
  expect(stored?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(stored?.hashed).toBe(true);
  expect(stored?.all).not.toContain(password);
  for (const part of parts) expect(stored?.all).not.toContain(part.toString('hex'));
});

test('signing in is given up when time is up', async () => {
  const impatient = await startTestServer({ requestTimeout: 1 });
  const blocker = new pg.Client({ connectionString: impatient.db.adminUrl });
  await blocker.connect();
  await blocker.query('begin; lock table app_public.users');
  const account = { email: 'judy@example.com', username: 'judy', password };
  const answers = await Promise.all(
    ['/auth/login', '/auth/register'].map((path) => requestTo(impatient.app).post(path).send(account)),
  );
  await blocker.query('rollback');
  await blocker.end();
  const users = await impatient.db.asAdmin('select from app_public.users');
  await impatient.close();
  expect(answers.map(({ status }) => status)).toEqual([503, 503]);
  for (const { headers } of answers) expect(headers['retry-after']).toMatch(/^\d+$/);
  expect(users).toEqual([]);
});
