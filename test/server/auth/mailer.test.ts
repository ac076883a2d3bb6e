import { setTimeout as sleep } from 'node:timers/promises';
import type supertest from 'supertest';
import { requestTo } from '../../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { type MailServer, startMailServer, tokenIn } from '../../support/smtp.ts';

let mail: MailServer;
let server: TestServer;

beforeAll(async () => {
  mail = await startMailServer();
  server = await startTestServer({
    mail: { smtpUrl: `smtp://127.0.0.1:${mail.port}`, appUrl: 'https://app.example.com/hedgerow' },
  });
});
afterAll(async () => {
  await server.close();
  await mail.close();
});

const newPassword = 'another long password';
const post = (path: string, body: object, token?: string) => {
  const request = requestTo(server.app).post(path);
  return (token === undefined ? request : request.auth(token, { type: 'bearer' })).send(body);
};
const forgot = (email: string) => post('/auth/password/forgot', { email });
const reset = (token: string, password = newPassword) => post('/auth/password/reset', { token, newPassword: password });
const verify = (token: string) => post('/auth/email/verify', { token });
const login = (email: string, password: string) => post('/auth/login', { email, password });

/** An account whose first message, which asks to verify the address, has been read. */
async function account(name: string): Promise<Tenant & { verifyToken: string }> {
  const tenant = await signUp(server.app, name);
  return { ...tenant, verifyToken: tokenIn(await mail.mailTo(tenant.email)) };
}

async function resetTokenOf({ email }: { email: string }): Promise<string> {
  await forgot(email).expect(202);
  return tokenIn(await mail.mailTo(email));
}

const events = async ({ id }: { id: string }) =>
  (
    await server.db.asAdmin<{ event: string }>(
      'select event from app_private.audit_log where user_id = $1 order by created_at, event',
      [id],
    )
  ).map(({ event }) => event);

/** Waits until so many have asked for a new password since the beginning. */
async function asked(count: number): Promise<void> {
  const text = `select from app_private.audit_log where event = 'password_reset_asked'`;
  while ((await server.db.asAdmin(text)).length < count) await sleep(10);
}

const wrongToken = {
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  detail: 'Some fields of the input are invalid. See `errors`.',
  errors: [{ path: 'token', message: 'token is wrong, was used or has expired' }],
};

test('a password reset sets a new password and ends every session', async () => {
  const ada = await account('ada');
  const { body } = await forgot(' ADA@example.com ').expect(202);
  expect(body).toEqual({});
  const message = await mail.mailTo(ada.email);
  expect(message.to).toEqual([ada.email]);
  expect(message.from).toBe('no-reply@hedgerow.example');
  expect(message.head).toMatch(/^From: Hedgerow <no-reply@hedgerow.example>$/m);
  expect(message.head).toMatch(/^Subject: Set a new password$/m);
  expect(message.text).toMatch(/^https:\/\/app\.example\.com\/hedgerow\/reset-password#token=[\w-]{43}$/m);

  await reset(tokenIn(message)).expect(204);
  await login(ada.email, ada.password).expect(401);
  await login(ada.email, newPassword).expect(200);
  await requestTo(server.app).get('/auth/me').auth(ada.token, { type: 'bearer' }).expect(401);
  const alive = 'select from app_private.sessions where user_id = $1 and revoked_at is null';
  expect(await server.db.asAdmin(alive, [ada.id])).toHaveLength(1);
  expect(await events(ada)).toEqual(expect.arrayContaining(['password_reset', 'password_reset_asked']));
});

test('a mail token is stored only as a hash, and works once', async () => {
  const bob = await account('bob');
  const token = await resetTokenOf(bob);
  const bytes = Buffer.from(token, 'base64url');
  expect(bytes).toHaveLength(32);
  const [stored] = await server.db.asAdmin<{ hashed: boolean; all: string }>(
    `select token_hash = sha256($2) as hashed, t::text as all from app_private.mail_tokens t
    where user_id = $1 and purpose = 'reset password'`,
    [bob.id, bytes],
  );
  expect(stored?.hashed).toBe(true);
  for (const form of [token, bytes.toString('hex'), bytes.toString('base64')]) expect(stored?.all).not.toContain(form);
  await reset(token).expect(204);
  expect((await reset(token).expect(400)).body).toEqual(wrongToken);
  expect((await reset(token, 'and another password').expect(400)).body).toEqual(wrongToken);
  await login(bob.email, newPassword).expect(200);
});

test('one of two concurrent resets with one token succeeds', async () => {
  const carol = await account('carol');
  const token = await resetTokenOf(carol);
  const passwords = ['the first password', 'the other password'];
  const answers = await Promise.all(passwords.map((password) => reset(token, password)));
  expect(answers.map(({ status }) => status).sort()).toEqual([204, 400]);
  const done = answers.findIndex(({ status }) => status === 204);
  await login(carol.email, passwords[done] as string).expect(200);
  await login(carol.email, passwords[1 - done] as string).expect(401);
  expect((await events(carol)).filter((event) => event === 'password_reset')).toHaveLength(1);
});

test('a token that was replaced, has expired, or belongs to another address or to an inactive account is wrong', async () => {
  const dave = await account('dave');
  const change = (text: string) => server.db.asAdmin(text, [dave.id]);
  const first = await resetTokenOf(dave);
  const token = await resetTokenOf(dave);
  const refused = async (wrong: string) => {
    const { body, headers } = await reset(wrong).expect(400);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    return body;
  };
  expect(await refused(first)).toEqual(wrongToken);
  const original = await change('select expires_at from app_private.mail_tokens where user_id = $1 order by purpose');
  await change(`update app_private.mail_tokens set expires_at = now() where user_id = $1`);
  expect(await refused(token)).toEqual(wrongToken);
  expect((await verify(dave.verifyToken).expect(400)).body).toEqual(wrongToken);
  await change(`update app_private.mail_tokens set expires_at = now() + interval '1 minute' where user_id = $1`);
  await change(`update app_public.users set email = 'dave2@example.com' where id = $1`);
  expect(await refused(token)).toEqual(wrongToken);
  expect((await verify(dave.verifyToken).expect(400)).body).toEqual(wrongToken);
  await change(`update app_public.users set email = 'dave@example.com' where id = $1`);
  await change('update app_private.credentials set is_active = false where user_id = $1');
  expect(await refused(token)).toEqual(wrongToken);
  expect((await verify(dave.verifyToken).expect(400)).body).toEqual(wrongToken);
  await change('update app_private.credentials set is_active = true where user_id = $1');
  for (const wrong of ['', 'x', `${token}x`, token.slice(1), 'a'.repeat(43), "' or true --", '\u0000']) {
    expect(await refused(wrong)).toEqual(wrongToken);
  }
  // None of it took the token or the password away.
  await login(dave.email, dave.password).expect(200);
  await reset(token).expect(204);
  expect(original).toHaveLength(2);
});

test('a token to reset lives for an hour, one to verify for a day', async () => {
  const erin = await account('erin');
  await resetTokenOf(erin);
  const rows = await server.db.asAdmin(
    `select purpose, extract(epoch from expires_at - created_at)::int / 3600 as hours from app_private.mail_tokens where user_id = $1 order by 1`,
    [erin.id],
  );
  expect(rows).toEqual([
    { purpose: 'reset password', hours: 1 },
    { purpose: 'verify email', hours: 24 },
  ]);
});

test('an address that is unknown, inactive, without a password or a placeholder gets the same answer and no mail', async () => {
  const [frank, gina, hugo] = [await account('frank'), await account('gina'), await account('hugo')];
  await server.db.asAdmin('update app_private.credentials set is_active = false where user_id = $1', [frank.id]);
  await server.db.asAdmin('update app_private.credentials set password_hash = null where user_id = $1', [gina.id]);
  await server.db.asAdmin(`update app_public.users set email = 'hugo@issuer.invalid' where id = $1`, [hugo.id]);
  const kim = await account('kim');
  const before = mail.received.length;
  const [{ count } = { count: 0 }] = await server.db.asAdmin<{ count: number }>(
    `select count(*)::int as count from app_private.audit_log where event = 'password_reset_asked'`,
  );
  const known = await forgot(kim.email);
  const others = ['nobody@example.com', frank.email, gina.email, 'hugo@issuer.invalid'];
  const answers = await Promise.all(others.map((email) => forgot(email)));
  const shown = ({ status, text, headers }: supertest.Response) => [status, text, Object.keys(headers).sort()];
  for (const answer of answers) expect(shown(answer)).toEqual(shown(known));
  await mail.mailTo(kim.email);
  await asked(count + 5);
  expect(mail.received.length).toBe(before + 1);
  const stored = await server.db.asAdmin(
    `select from app_private.mail_tokens where purpose = 'reset password' and user_id = any($1)`,
    [[frank.id, gina.id, hugo.id]],
  );
  expect(stored).toEqual([]);
});

test('registering asks to verify the address; the API shows when that was', async () => {
  const ivan = await signUp(server.app, 'ivan');
  const message = await mail.mailTo(ivan.email);
  expect(message.head).toMatch(/^Subject: Confirm your address$/m);
  expect(message.text).toMatch(/^https:\/\/app\.example\.com\/hedgerow\/verify-email#token=[\w-]{43}$/m);
  const query = '{ currentUser { emailVerifiedAt } }';
  expect((await ivan.graphql(query)).body.data).toEqual({ currentUser: { emailVerifiedAt: null } });
  const token = tokenIn(message);
  await verify(token).expect(204);
  const { body } = await ivan.graphql(query);
  expect(Date.parse(body.data.currentUser.emailVerifiedAt)).not.toBeNaN();
  expect((await verify(token).expect(400)).body).toEqual(wrongToken);
  expect(await events(ivan)).toContain('email_verified');
  await requestTo(server.app).get('/auth/me').auth(ivan.token, { type: 'bearer' }).expect(200);
});

test('the message to verify is sent again on request, and not once the address is verified', async () => {
  const judy = await account('judy');
  const again = () => post('/auth/email/send', {}, judy.token).expect(202);
  expect((await again()).body).toEqual({});
  const token = tokenIn(await mail.mailTo(judy.email));
  await verify(judy.verifyToken).expect(400);
  await verify(token).expect(204);
  const before = mail.received.length;
  expect((await again()).body).toEqual({});
  // The next message arrives, and no other message came before it.
  await forgot(judy.email).expect(202);
  await mail.mailTo(judy.email);
  expect(mail.received.length).toBe(before + 1);
  await post('/auth/email/send', {}).expect(401);
});

test('a reset verifies the address too, and each token is good for one thing', async () => {
  const lena = await account('lena');
  const token = await resetTokenOf(lena);
  expect((await verify(token).expect(400)).body).toEqual(wrongToken);
  expect((await reset(lena.verifyToken).expect(400)).body).toEqual(wrongToken);
  await reset(token).expect(204);
  const { body } = await login(lena.email, newPassword).expect(200);
  const shown = await requestTo(server.app)
    .post('/graphql')
    .auth(body.accessToken, { type: 'bearer' })
    .send({ query: '{ currentUser { emailVerifiedAt } }' });
  expect(shown.body.data.currentUser.emailVerifiedAt).not.toBeNull();
});

test.each([
  ['/auth/password/forgot', {}, 'email is needed'],
  ['/auth/password/forgot', { email: 'ada' }, 'email must be an address such as name@example.com'],
  [
    '/auth/password/forgot',
    { email: 'ada@example.com\r\nBcc: eve@example.com' },
    'email must be an address such as name@example.com',
  ],
  [
    '/auth/password/forgot',
    { email: 'ada@example.com, eve@example.com' },
    'email must be an address such as name@example.com',
  ],
  ['/auth/password/forgot', { email: 'Eve <eve@example.com>' }, 'email must be an address such as name@example.com'],
  ['/auth/password/reset', { newPassword }, 'token is needed'],
  ['/auth/password/reset', { token: 'x' }, 'newPassword is needed'],
  ['/auth/password/reset', { token: 'x', newPassword: 'short' }, 'newPassword must have 10 to 128 characters'],
  ['/auth/email/verify', { token: ['x'] }, 'token is needed'],
])('%s says what is wrong with %j', async (path, body, message) => {
  const answer = await post(path, body).expect(400);
  expect(answer.body.errors).toEqual([{ path: message.split(' ', 1)[0], message }]);
});

test('one mailbox is written to a few times an hour, whether there is an account or not', async () => {
  const strict = await startTestServer({ limitFactor: 1, mail: { smtpUrl: `smtp://127.0.0.1:${mail.port}` } });
  await signUp(strict.app, 'mona');
  const statuses = async (email: string) => {
    const answers: number[] = [];
    for (let n = 0; n < 8; n++) {
      answers.push((await requestTo(strict.app).post('/auth/password/forgot').send({ email })).status);
    }
    return answers;
  };
  const known = await statuses('mona@example.com');
  expect(new Set(known)).toEqual(new Set([202, 429]));
  expect(await statuses('nobody@example.com')).toEqual(known);
  await strict.close();
});
