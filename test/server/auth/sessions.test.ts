import { randomUUID } from 'node:crypto';
import { serve, signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { alive, ended, type Session, send, signInAgain, statuses } from '../../support/signIn.ts';

let server: TestServer;
let other: Omit<TestServer, 'db'>;
beforeAll(async () => {
  server = await startTestServer();
  other = await serve(server.db);
});
afterAll(async () => {
  await other.close();
  await server.close();
});

const idOf = ({ token }: Session): string =>
  JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()).sid;
const list = async ({ token }: Session) =>
  (await send(server.app, 'get', '/auth/sessions', token).expect(200)).body.sessions;
const logout = (body?: object) => send(server.app, 'post', '/auth/logout', undefined, body);
const refresh = ({ refreshToken }: Session) => send(server.app, 'post', '/auth/refresh', undefined, { refreshToken });
const endSession = ({ token }: Session, id: string) => send(server.app, 'delete', `/auth/sessions/${id}`, token);

const linesOf = async ({ id }: Tenant) => {
  const rows = await server.db.asAdmin(
    'select event, session_id from app_private.audit_log where user_id = $1 order by created_at',
    [id],
  );
  return rows.map(({ event, session_id }) => [event, session_id]);
};

/** Both instances say the same of the session's access token, and refreshing agrees. */
async function expectState(session: Session, state: 'alive' | 'ended'): Promise<void> {
  for (const { app } of [server, other]) {
    expect(await statuses(app, session.token)).toEqual(state === 'alive' ? alive : ended);
  }
  await refresh(session).expect(state === 'alive' ? 200 : 401);
}

test('logging out ends that session on every instance, and no other', async () => {
  const ada = await signUp(server.app, 'ada');
  const elsewhere = await signInAgain(server.app, ada);
  expect(await statuses(other.app, ada.token)).toEqual(alive);
  await logout({ refreshToken: ada.refreshToken }).expect(204, {});
  await expectState(ada, 'ended');
  await expectState(elsewhere, 'alive');
  expect(await linesOf(ada)).toEqual([
    ['registered', idOf(ada)],
    ['logged_in', idOf(elsewhere)],
    ['logged_out', idOf(ada)],
  ]);
});

test('a token that was used long ago still logs out', async () => {
  const bob = await signUp(server.app, 'bob');
  const { body: second } = await refresh(bob).expect(200);
  const { body: third } = await refresh(second).expect(200);
  await logout({ refreshToken: bob.refreshToken }).expect(204);
  await expectState({ token: third.accessToken, refreshToken: third.refreshToken }, 'ended');
});

test('logout always succeeds', async () => {
  const carol = await signUp(server.app, 'carol');
  await logout({ refreshToken: carol.refreshToken }).expect(204);
  const strangers = [
    ...[undefined, {}, [], { refreshToken: null }, { refreshToken: 1 }, { refreshToken: '' }, { refreshToken: 'x.y' }],
    ...[{ refreshToken: carol.refreshToken }, { refreshToken: `${'A'.repeat(43)}.${'A'.repeat(43)}` }],
  ];
  for (const body of strangers) await logout(body).expect(204, {});
  expect((await linesOf(carol)).map(([event]) => event)).toEqual(['registered', 'logged_out']);
});

test("logging out everywhere ends every session of the user, and nobody else's", async () => {
  const dave = await signUp(server.app, 'dave');
  const [elsewhere, bystander] = [await signInAgain(server.app, dave), await signUp(server.app, 'dave2')];
  await send(server.app, 'post', '/auth/logout-all', dave.token).expect(204, {});
  await expectState(dave, 'ended');
  await expectState(elsewhere, 'ended');
  await expectState(bystander, 'alive');
  expect((await linesOf(dave)).at(-1)).toEqual(['logged_out_everywhere', idOf(dave)]);
  await expectState(await signInAgain(server.app, dave), 'alive');
});

test('a session that is refreshed while all of them end does not survive', async () => {
  const erin = await signUp(server.app, 'erin');
  const sessions = await Promise.all(Array.from({ length: 6 }, () => signInAgain(server.app, erin)));
  const [all, ...answers] = await Promise.all([
    send(server.app, 'post', '/auth/logout-all', erin.token),
    ...sessions.map(refresh),
  ]);
  expect(all.status).toBe(204);
  const refreshed = answers.flatMap(({ status, body }) => (status === 200 ? [body.accessToken] : []));
  for (const token of [...refreshed, ...sessions.map(({ token }) => token)]) {
    expect(await statuses(server.app, token)).toEqual(ended);
  }
});

test('the list has the active sessions of the user, the newest first', async () => {
  const frank = await signUp(server.app, 'frank');
  await signUp(server.app, 'frank2');
  const { email, password } = frank;
  const login = send(server.app, 'post', '/auth/login', undefined, { email, password });
  const { body } = await login.set('User-Agent', `hedgerow-test/1 ${'x'.repeat(600)}`).expect(200);
  const [revoked, expired] = [await signInAgain(server.app, frank), await signInAgain(server.app, frank)];
  await logout({ refreshToken: revoked.refreshToken });
  await server.db.asAdmin('update app_private.sessions set expires_at = now() where id = $1', [idOf(expired)]);

  const sessions = await list(frank);
  expect(sessions).toEqual([
    {
      id: idOf({ token: body.accessToken, refreshToken: '' }),
      ...{ createdAt: expect.any(String), lastUsedAt: expect.any(String), expiresAt: expect.any(String) },
      address: expect.stringContaining('127.0.0.1'),
      userAgent: `hedgerow-test/1 ${'x'.repeat(496)}`,
      current: false,
    },
    expect.objectContaining({ id: idOf(frank), current: true }),
  ]);
  for (const { createdAt, expiresAt } of sessions) {
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(30 * 24 * 3600 * 1000);
  }
});

test('a session shows when it was refreshed', async () => {
  const grace = await signUp(server.app, 'grace');
  await server.db.asAdmin(
    "update app_private.sessions set created_at = created_at - interval '1 day', last_used_at = created_at - interval '1 day' where id = $1",
    [idOf(grace)],
  );
  const [before] = await list(grace);
  expect(before.lastUsedAt).toBe(before.createdAt);
  await refresh(grace).expect(200);
  const [after] = await list(grace);
  expect(after.createdAt).toBe(before.createdAt);
  expect(Date.parse(after.lastUsedAt)).toBeGreaterThan(Date.parse(before.lastUsedAt));
});

test('a user ends one session of theirs, and it is gone from the list', async () => {
  const heidi = await signUp(server.app, 'heidi');
  const elsewhere = await signInAgain(server.app, heidi);
  await endSession(heidi, idOf(elsewhere)).expect(204, {});
  await expectState(elsewhere, 'ended');
  await expectState(heidi, 'alive');
  expect((await list(heidi)).map(({ id }: { id: string }) => id)).toEqual([idOf(heidi)]);
  expect((await linesOf(heidi)).at(-1)).toEqual(['session_ended', idOf(elsewhere)]);
  await endSession(heidi, idOf(heidi)).expect(204);
  await expectState(heidi, 'ended');
});

test("another user's session is not told from one that does not exist", async () => {
  const [ivan, judy] = [await signUp(server.app, 'ivan'), await signUp(server.app, 'judy')];
  const over = await signInAgain(server.app, ivan);
  await logout({ refreshToken: over.refreshToken });
  const lines = await linesOf(ivan);
  for (const id of [idOf(judy), randomUUID(), idOf(over), 'garbage', '%00', "'--", '0'.repeat(5000)]) {
    const { status, body } = await endSession(ivan, id);
    expect({ id, status, body }).toEqual({
      ...{ id, status: 404 },
      body: {
        type: 'about:blank',
        title: 'Not Found',
        status: 404,
        detail: 'You have no active session with this id.',
      },
    });
  }
  await expectState(judy, 'alive');
  expect(await linesOf(ivan)).toEqual(lines);
});

test.each([
  ['post', '/auth/logout-all'],
  ['get', '/auth/sessions'],
  ['delete', '/auth/sessions/5f0d0a0e-7a55-4f0e-9d8c-1c2b3a4d5e6f'],
  ['delete', '/auth/sessions/garbage'],
] as const)('%s %s is for who is signed in', async (method, path) => {
  const karl = await signUp(server.app, `karl${method}${path.length}`);
  await send(server.app, method, path, undefined).expect(401);
  await send(server.app, method, path, 'garbage').expect(401);
  await logout({ refreshToken: karl.refreshToken }).expect(204);
  const { body, headers } = await send(server.app, method, path, karl.token).expect(401);
  expect(body).toMatchObject({ status: 401, detail: expect.stringMatching(/access token/) });
  expect(headers['www-authenticate']).toBe('Bearer');
});
