import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import supertest from 'supertest';
import { graphql, jwtSecret, signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

let server: TestServer;
let ada: Tenant;
let claims: jwt.JwtPayload;
beforeAll(async () => {
  server = await startTestServer();
  ada = await signUp(server.app, 'ada');
  claims = jwt.decode(ada.token) as jwt.JwtPayload;
});
afterAll(() => server.close());

async function answers(token: string): Promise<{ status: number; body: unknown }[]> {
  const [me, api] = await Promise.all([
    supertest(server.app).get('/auth/me').auth(token, { type: 'bearer' }),
    graphql(server.app, token, '{ currentUser { email } }'),
  ]);
  return [me, api].map(({ status, body }) => ({ status, body }));
}

const statuses = async (token: string) => (await answers(token)).map(({ status }) => status);

const endings: [string, string][] = [
  ['deactivated', 'update app_private.credentials set is_active = false where user_id = $1'],
  ['whose session was revoked', 'update app_private.sessions set revoked_at = now() where user_id = $1'],
  ['whose session has expired', 'update app_private.sessions set expires_at = now() where user_id = $1'],
  ['deleted', 'delete from app_public.users where id = $1'],
];

test.each(endings)('the token of a user %s is refused at once', async (name, statement) => {
  const user = await signUp(server.app, name.replaceAll(' ', '-'));
  expect(await statuses(user.token)).toEqual([200, 200]);
  await server.db.asAdmin(statement, [user.id]);
  const [me, api] = await answers(user.token);
  expect(me).toMatchObject({ status: 401, body: { status: 401 } });
  expect(api).toMatchObject({ status: 401, body: { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] } });
  expect(JSON.stringify(api?.body)).not.toContain(user.email);
});

test('revoking one session leaves the others', async () => {
  const { body } = await supertest(server.app).post('/auth/login').send(ada).expect(200);
  const { sid } = jwt.decode(body.accessToken) as jwt.JwtPayload;
  await server.db.asAdmin('update app_private.sessions set revoked_at = now() where id = $1', [sid]);
  expect(await statuses(body.accessToken)).toEqual([401, 401]);
  expect(await statuses(ada.token)).toEqual([200, 200]);
});

/** A token as ours, but for what `change` does to it. */
const sign = (change: object, secret: jwt.Secret = jwtSecret, options: jwt.SignOptions = {}) =>
  jwt.sign(
    Object.fromEntries(Object.entries({ ...claims, ...change }).filter(([, value]) => value !== undefined)),
    secret,
    {
      algorithm: 'HS256',
      ...options,
    },
  );

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const hour = 3600;

test('a token that is signed as ours is accepted', async () => {
  expect(await statuses(sign({}))).toEqual([200, 200]);
});

const forgeries: [string, () => string][] = [
  ['no algorithm', () => `${base64({ alg: 'none', typ: 'JWT' })}.${base64(claims)}.`],
  ['no algorithm in capitals', () => `${base64({ alg: 'NONE', typ: 'JWT' })}.${base64(claims)}.`],
  ['no signature', () => `${ada.token.split('.').slice(0, 2).join('.')}.`],
  [
    'the signature of other claims',
    () => ada.token.replace(/\.[^.]+\./, `.${base64({ ...claims, sub: randomUUID() })}.`),
  ],
  ['another secret', () => sign({}, 'another secret, as long as the right one')],
  [
    'an empty secret',
    () => {
      const head = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims)}`;
      return `${head}.${createHmac('sha256', '').update(head).digest('base64url')}`;
    },
  ],
  ['another HMAC', () => sign({}, jwtSecret, { algorithm: 'HS512' })],
  ['an RSA key', () => sign({}, privateKey, { algorithm: 'RS256' })],
  [
    'a key in its own header',
    () =>
      sign({}, 'another secret, as long as the right one', {
        header: { alg: 'HS256', kid: '/dev/null', jku: 'https://evil.example' },
      }),
  ],
  ['an end in the past', () => sign({ iat: 0, exp: Math.floor(Date.now() / 1000) - hour })],
  ['a begin in the future', () => sign({ nbf: Math.floor(Date.now() / 1000) + hour })],
  ['no end', () => sign({ exp: undefined })],
  [
    'an end that is text',
    () => {
      const head = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64({ ...claims, exp: 'never' })}`;
      return `${head}.${createHmac('sha256', jwtSecret).update(head).digest('base64url')}`;
    },
  ],
  ['another issuer', () => sign({ iss: 'other' })],
  ['no issuer', () => sign({ iss: undefined })],
  ['another audience', () => sign({ aud: 'other' })],
  ['no audience', () => sign({ aud: undefined })],
  ['no session', () => sign({ sid: undefined })],
  ['a session that is not an id', () => sign({ sid: "' or true --" })],
  ['a session that does not exist', () => sign({ sid: randomUUID() })],
  ['no subject', () => sign({ sub: undefined })],
  ['a subject that is not an id', () => sign({ sub: `${claims.sub}' or true --` })],
  ['another subject than the session has', () => sign({ sub: randomUUID() })],
  ['nothing', () => ''],
  ['garbage', () => 'garbage'],
  ['dots', () => '..'],
  ['a list of claims', () => `${base64({ alg: 'HS256' })}.${base64([claims])}.x`],
];

test.each(forgeries)('a token with %s is refused, with the same words as any other', async (_, forge) => {
  const [me, api] = await answers(forge());
  expect([me?.status, api?.status]).toEqual([401, 401]);
  expect(JSON.stringify([me, api])).not.toContain(ada.email);
});

test("another tenant's session does not serve one's own subject", async () => {
  const bob = await signUp(server.app, 'bob');
  const { sid } = jwt.decode(bob.token) as jwt.JwtPayload;
  expect(await statuses(sign({ sid }))).toEqual([401, 401]);
});

test.each([
  ['in the query string', (token: string) => supertest(server.app).get(`/auth/me?access_token=${token}`)],
  ['in a cookie', (token: string) => supertest(server.app).get('/auth/me').set('Cookie', `token=${token}`)],
  ['in another scheme', (token: string) => supertest(server.app).get('/auth/me').set('Authorization', `JWT ${token}`)],
])('a good token %s is none', async (_, request) => {
  await request(ada.token).expect(401);
});
