import jwt from 'jsonwebtoken';
import { requestTo } from '../support/requestTo.ts';
import { graphql, signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer();
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

async function answers(token: string): Promise<{ status: number; body: unknown }[]> {
  const [me, api] = await Promise.all([
    requestTo(server.app).get('/auth/me').auth(token, { type: 'bearer' }),
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

test('revoking one session keeps the others valid', async () => {
  const { body } = await requestTo(server.app).post('/auth/login').send(ada).expect(200);
  const { sid } = jwt.decode(body.accessToken) as jwt.JwtPayload;
  await server.db.asAdmin('update app_private.sessions set revoked_at = now() where id = $1', [sid]);
  expect(await statuses(body.accessToken)).toEqual([401, 401]);
  expect(await statuses(ada.token)).toEqual([200, 200]);
});
