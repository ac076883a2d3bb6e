import { createHmac } from 'node:crypto';
import { serve, signUp, startTestServer, type TestServer } from '../../support/server.ts';
import { alive, ended, send, signInAgain, statuses } from '../../support/signIn.ts';

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

const refresh = (refreshToken: unknown, { app } = server as Pick<TestServer, 'app'>) =>
  send(app, 'post', '/auth/refresh', undefined, { refreshToken });

const refreshed = async (refreshToken: string): Promise<string> =>
  (await refresh(refreshToken).expect(200)).body.refreshToken;

const familyOf = (token: string) => token.split('.')[0] as string;
const secretOf = (token: string) => Buffer.from(token.split('.')[1] as string, 'base64url');
const sessionOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()).sid;

const setSession = (token: string, change: string) =>
  server.db.asAdmin(`update app_private.sessions set ${change} where id = $1`, [sessionOf(token)]);

const eventsOf = async (id: string) =>
  (await server.db.asAdmin('select event from app_private.audit_log where user_id = $1 order by created_at', [id])).map(
    ({ event }) => event,
  );

test('a refresh continues the session with a new token', async () => {
  const ada = await signUp(server.app, 'ada');
  const { body, headers } = await refresh(ada.refreshToken).expect(200);
  expect(body).toEqual({
    user: { id: ada.id, email: ada.email, username: 'ada' },
    ...{ accessToken: expect.any(String), tokenType: 'Bearer', expiresIn: 900 },
    refreshToken: expect.stringMatching(/^[\w-]{43}\.[\w-]{43}$/),
  });
  expect(headers['cache-control']).toBe('no-store');
  expect(familyOf(body.refreshToken)).toBe(familyOf(ada.refreshToken));
  expect(body.refreshToken).not.toBe(ada.refreshToken);
  expect(sessionOf(body.accessToken)).toBe(sessionOf(ada.token));
  expect(await statuses(server.app, body.accessToken)).toEqual(alive);
  const third = await refreshed(await refreshed(body.refreshToken));
  await refreshed(third);
});

test.each([
  ['no body', undefined, 'needed'],
  ['nothing', {}, 'needed'],
  ['null', { refreshToken: null }, 'needed'],
  ['a list', { refreshToken: ['x.y'] }, 'needed'],
  ['too much', { refreshToken: 'x'.repeat(1001) }, 'too long'],
])('%s is no refresh token', async (_, body, message) => {
  const answer = await send(server.app, 'post', '/auth/refresh', undefined, body).expect(400);
  expect(answer.body.errors).toEqual([{ path: 'refreshToken', message: `refreshToken is ${message}` }]);
});

const refused = {
  ...{ type: 'about:blank', title: 'Unauthorized', status: 401 },
  detail: 'The refresh token is invalid or has expired. Sign in again.',
};

const forgeries: [string, (token: string) => string][] = [
  ['nothing', () => ''],
  ['garbage', () => 'garbage'],
  ['a family alone', (token) => `${familyOf(token)}.`],
  ['a third part', (token) => `${token}.x`],
  ['a line break behind it', (token) => `${token}\n`],
  // The last character has two bits that no byte needs: with one of them set, it would be the same token written otherwise.
  ['a bit behind its end', (token) => token.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1))],
  ['another family', (token) => `${'A'.repeat(43)}.${token.split('.')[1]}`],
  ['a quote', (token) => `${token.slice(0, -1)}'`],
];

test('a token that was not issued is refused, and ends no session', async () => {
  const { refreshToken, id } = await signUp(server.app, 'bob');
  for (const [name, forge] of forgeries) {
    const { status, body } = await refresh(forge(refreshToken));
    expect({ name, status, body }).toEqual({ name, status: 401, body: refused });
  }
  await refreshed(refreshToken);
  expect(await eventsOf(id)).toEqual(['registered']);
});

test.each([
  ['session has expired', 'update app_private.sessions set expires_at = now() where user_id = $1'],
  ['session was revoked', 'update app_private.sessions set revoked_at = now() where user_id = $1'],
  ['user is inactive', 'update app_private.credentials set is_active = false where user_id = $1'],
  ['user was deleted', 'delete from app_public.users where id = $1'],
])('a token whose %s is refused with the same words', async (name, statement) => {
  const { id, refreshToken } = await signUp(server.app, name.replaceAll(' ', '-'));
  const newest = await refreshed(refreshToken);
  await server.db.asAdmin(statement, [id]);
  for (const token of [refreshToken, newest]) expect((await refresh(token).expect(401)).body).toEqual(refused);
  expect(await eventsOf(id)).toEqual(['registered']);
});

test('20 concurrent requests on two instances get the same token', async () => {
  const { id, refreshToken } = await signUp(server.app, 'carol');
  const requests = Array.from({ length: 20 }, (_, index) => refresh(refreshToken, index % 2 ? other : server));
  const answers = await Promise.all(requests);
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  const tokens = new Set(answers.map(({ body }) => body.refreshToken));
  expect(tokens.size).toBe(1);
  for (const { body } of answers) expect(await statuses(server.app, body.accessToken)).toEqual(alive);
  expect(await server.db.asAdmin('select from app_private.sessions where user_id = $1', [id])).toHaveLength(1);
  const [newest] = tokens;
  await refreshed(newest);
});

/** A session that was refreshed twice: `tokens` from the oldest to the newest. */
async function family(name: string) {
  const tenant = await signUp(server.app, name);
  const second = await refreshed(tenant.refreshToken);
  const { body } = await refresh(second).expect(200);
  const tokens = [tenant.refreshToken, second, body.refreshToken] as const;
  return { ...tenant, tokens, newestAccess: body.accessToken as string };
}

test('a token that was used before the last one ends its session, on every instance at once', async () => {
  const { id, token, newestAccess, tokens } = await family('dave');
  const bystander = await signUp(server.app, 'dave2');
  for (const { app } of [server, other]) expect(await statuses(app, newestAccess)).toEqual(alive);
  expect((await refresh(tokens[0]).expect(401)).body).toEqual(refused);
  for (const { app } of [server, other]) {
    expect(await statuses(app, newestAccess)).toEqual(ended);
    expect(await statuses(app, token)).toEqual(ended);
  }
  for (const used of tokens) expect((await refresh(used, other).expect(401)).body).toEqual(refused);
  expect(await eventsOf(id)).toEqual(['registered', 'refresh_token_replayed']);
  const [line] = await server.db.asAdmin(
    "select session_id, host(address) as address from app_private.audit_log where user_id = $1 and event like '%replayed'",
    [id],
  );
  expect(line).toEqual({ session_id: sessionOf(token), address: expect.stringContaining('127.0.0.1') });
  expect(await statuses(server.app, bystander.token)).toEqual(alive);
});

test('a replay ends one session of the user, and no other', async () => {
  const { tokens, newestAccess, ...tenant } = await family('erin');
  const elsewhere = await signInAgain(server.app, tenant);
  await refresh(tokens[0]).expect(401);
  expect(await statuses(server.app, newestAccess)).toEqual(ended);
  expect(await statuses(server.app, elsewhere.token)).toEqual(alive);
  await refreshed(elsewhere.refreshToken);
});

test('a secret that was never issued, with a family that was, ends the session', async () => {
  const { token, refreshToken } = await signUp(server.app, 'frank');
  await refresh(`${familyOf(refreshToken)}.${'A'.repeat(43)}`).expect(401);
  expect(await statuses(server.app, token)).toEqual(ended);
});

test('a retry gets the same successor within 60 seconds, and not later', async () => {
  const { token, tokens } = await family('grace');
  const [, parent, newest] = tokens;
  await setSession(token, "rotated_at = now() - interval '55 seconds'");
  expect(await refreshed(parent)).toBe(newest);
  expect(await refreshed(parent)).toBe(newest);
  await setSession(token, "rotated_at = now() - interval '60 seconds'");
  expect((await refresh(parent).expect(401)).body).toEqual(refused);
  expect(await statuses(server.app, token)).toEqual(ended);
  await refresh(newest).expect(401);
});

test('a retry does not extend the 60 seconds', async () => {
  const { token, tokens } = await family('heidi');
  const rotatedAt = async () =>
    (await server.db.asAdmin('select rotated_at from app_private.sessions where id = $1', [sessionOf(token)]))[0];
  const before = await rotatedAt();
  await refreshed(tokens[1]);
  expect(await rotatedAt()).toEqual(before);
});

test('a session ends 30 days after it began, however often it is refreshed', async () => {
  const { token, refreshToken } = await signUp(server.app, 'ivan');
  const times = async () =>
    (
      await server.db.asAdmin(
        `select expires_at, expires_at - created_at = interval '30 days' as "30 days", last_used_at
        from app_private.sessions where id = $1`,
        [sessionOf(token)],
      )
    )[0];
  const before = await times();
  expect(before?.['30 days']).toBe(true);
  await setSession(token, "last_used_at = now() - interval '1 day'");
  const newest = await refreshed(refreshToken);
  const after = await times();
  expect(after?.expires_at).toEqual(before?.expires_at);
  expect(after?.last_used_at.getTime()).toBeGreaterThanOrEqual(before?.last_used_at.getTime());

  await setSession(token, "expires_at = now() + interval '1 minute'");
  const last = await refreshed(newest);
  await setSession(token, 'expires_at = now()');
  expect((await refresh(last).expect(401)).body).toEqual(refused);
});

test('the database stores hashes of tokens, and a successor that only its parent decrypts', async () => {
  const { token, tokens } = await family('judy');
  const [stored] = await server.db.asAdmin(
    `select family_hash = sha256($2) as family, previous_token_hash = sha256($3) as parent,
      refresh_token_hash = sha256($4) as newest, sealed_successor, to_jsonb(s)::text as all
    from app_private.sessions s where id = $1`,
    [sessionOf(token), Buffer.from(familyOf(tokens[0]), 'base64url'), secretOf(tokens[1]), secretOf(tokens[2])],
  );
  expect(stored).toMatchObject({ family: true, parent: true, newest: true });
  for (const parts of tokens.map((whole) => whole.split('.'))) {
    for (const part of parts) {
      expect(stored?.all).not.toContain(part);
      expect(stored?.all).not.toContain(Buffer.from(part, 'base64url').toString('hex'));
    }
  }
  const pad = (key: Buffer) => createHmac('sha256', key).update('hedgerow refresh successor').digest();
  const opened = (key: Buffer) =>
    Buffer.from(stored?.sealed_successor.map((byte: number, index: number) => byte ^ (pad(key)[index] as number)));
  expect(opened(secretOf(tokens[1]))).toEqual(secretOf(tokens[2]));
  expect(opened(secretOf(tokens[0]))).not.toEqual(secretOf(tokens[2]));
});

test("signing in removes the user's sessions that ended more than a day ago, and nothing else", async () => {
  const karl = await signUp(server.app, 'karl');
  const bystander = await signUp(server.app, 'karla');
  const signIns = await Promise.all(Array.from({ length: 5 }, () => signInAgain(server.app, karl)));
  const tokens = signIns.map(({ token }) => token);
  const [revoked, expired, justRevoked, justExpired, living] = tokens as [string, string, string, string, string];
  await setSession(revoked, "revoked_at = now() - interval '25 hours'");
  await setSession(expired, "expires_at = now() - interval '25 hours'");
  await setSession(justRevoked, "revoked_at = now() - interval '23 hours'");
  await setSession(justExpired, "expires_at = now() - interval '23 hours'");
  await setSession(bystander.token, "expires_at = now() - interval '25 hours'");
  const { token } = await signInAgain(server.app, karl);
  const left = await server.db.asAdmin('select id from app_private.sessions where user_id = any($1)', [
    [karl.id, bystander.id],
  ]);
  const expected = [karl.token, bystander.token, justRevoked, justExpired, living, token].map(sessionOf);
  expect(left.map(({ id }) => id).sort()).toEqual(expected.sort());
});
