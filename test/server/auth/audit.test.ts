import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { root } from '../../../common/root.ts';
import { clearAuditLog } from '../../../server/auth/rateLimits/expiry.ts';
import { Identity } from '../../../server/tenancy/identity.ts';
import { requestTo } from '../../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { type MailServer, startMailServer, tokenIn } from '../../support/smtp.ts';
import { sqlState } from '../../support/sql.ts';

let mail: MailServer;
let server: TestServer;
beforeAll(async () => {
  mail = await startMailServer();
  server = await startTestServer({ trustProxy: 1, mail: { smtpUrl: `smtp://127.0.0.1:${mail.port}` } });
});
afterAll(async () => {
  await server.close();
  await mail.close();
});

const [address, userAgent] = ['203.0.113.7', 'a test, "1.0"'];
const newPassword = 'another long password';

/** Sends a request from `address`. */
const send = (method: 'get' | 'post' | 'patch' | 'delete', path: string, body?: object, token?: string) => {
  const request = requestTo(server.app)[method](path).set({ 'X-Forwarded-For': address, 'User-Agent': userAgent });
  return (token === undefined ? request : request.auth(token, { type: 'bearer' })).send(body);
};

interface Line {
  readonly user_id: string | null;
  readonly session_id: string | null;
  readonly event: string;
  readonly address: string | null;
  readonly user_agent: string | null;
}

const all = (): Promise<Line[]> =>
  server.db.asAdmin(
    `select user_id, session_id, event, host(address) as address, user_agent from app_private.audit_log
    order by created_at, id`,
  );

/** The session that an access token belongs to. */
const sessionOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()).sid;

/** The secrets of the test. The log must contain none of them. */
const secrets: string[] = [];

async function signIn(path: '/auth/register' | '/auth/login', name: string, password: string) {
  const { body } = await send('post', path, { email: `${name}@example.com`, username: name, password });
  secrets.push(password, body.accessToken, ...body.refreshToken.split('.'));
  return {
    id: body.user.id,
    token: body.accessToken,
    refreshToken: body.refreshToken,
    sid: sessionOf(body.accessToken),
  };
}

/** Brings about each event of an organization of `owner`, which `member` joins. */
async function organizationEvents(owner: Account, member: Account): Promise<Expected[]> {
  const { body } = await send('post', '/organizations', { name: 'Audited' }, owner.token).expect(201);
  const path = `/organizations/${body.id}`;
  const invite = () =>
    send('post', `${path}/invitations`, { email: 'cleo@example.com', role: 'viewer' }, owner.token).expect(201);
  await mail.mailTo('cleo@example.com');
  const { body: revoked } = await invite();
  secrets.push(tokenIn(await mail.mailTo('cleo@example.com')));
  await send('delete', `${path}/invitations/${revoked.id}`, undefined, owner.token).expect(204);
  await invite();
  const token = tokenIn(await mail.mailTo('cleo@example.com'));
  secrets.push(token);
  await send('post', '/organizations/invitations/accept', { token }, member.token).expect(200);
  await send('patch', `${path}/members/${member.id}`, { role: 'member' }, owner.token).expect(200);
  await send('delete', `${path}/members/${member.id}`, undefined, owner.token).expect(204);
  await send('get', '/auth/export', undefined, owner.token).set('X-Organization-Id', body.id).expect(200);
  await send('delete', path, undefined, owner.token).expect(204);
  const byOwner = [
    ...['organization_created', 'member_invited', 'invitation_revoked', 'member_invited', 'member_role_changed'],
    ...['member_removed', 'organization_exported', 'organization_deleted'],
  ].map((event): Expected => [event, owner.id, owner.sid]);
  return [...byOwner, ['invitation_accepted', member.id, member.sid]];
}

/** Event, user and session. */
type Expected = [string, string | null, string | null];
type Account = Awaited<ReturnType<typeof signIn>>;

/** Brings about each event. Returns the expected lines of the log, in any order. */
async function everything(): Promise<Expected[]> {
  const password = 'a password long enough';
  const wrong = 'a wrong password, canary';
  secrets.push(wrong, newPassword);
  const ada = await signIn('/auth/register', 'ada', password);
  const email = 'ada@example.com';
  const verifyToken = tokenIn(await mail.mailTo(email));
  await send('post', '/auth/email/verify', { token: verifyToken }).expect(204);
  await send('post', '/auth/login', { email, password: wrong }).expect(401);
  await send('post', '/auth/login', { email: 'nobody@example.com', password: wrong }).expect(401);
  const second = await signIn('/auth/login', 'ada', password);
  const third = await signIn('/auth/login', 'ada', password);
  const fourth = await signIn('/auth/login', 'ada', password);
  const change = (currentPassword: string) =>
    send('post', '/auth/password', { currentPassword, newPassword }, second.token);
  await change(wrong).expect(400);
  await send('delete', '/auth/me', { password: wrong }, ada.token).expect(400);
  await send('get', '/auth/export', undefined, ada.token).expect(200);
  await send('post', '/auth/logout', { refreshToken: third.refreshToken }).expect(204);
  await send('delete', `/auth/sessions/${fourth.sid}`, undefined, ada.token).expect(204);
  await change(password).expect(204);
  await send('post', '/auth/password/forgot', { email }).expect(202);
  const resetToken = tokenIn(await mail.mailTo(email));
  secrets.push(verifyToken, resetToken);
  await send('post', '/auth/password/reset', { token: resetToken, newPassword: password }).expect(204);
  const fifth = await signIn('/auth/login', 'ada', password);
  await send('post', '/auth/logout-all', undefined, fifth.token).expect(204);
  const sixth = await signIn('/auth/login', 'ada', password);
  let { refreshToken } = sixth;
  for (let use = 0; use < 2; use++) {
    const { body } = await send('post', '/auth/refresh', { refreshToken }).expect(200);
    refreshToken = body.refreshToken;
  }
  await send('post', '/auth/refresh', { refreshToken: sixth.refreshToken }).expect(401);
  const seventh = await signIn('/auth/login', 'ada', password);
  await send('post', '/auth/deactivate', { password }, seventh.token).expect(204);
  const bob = await signIn('/auth/register', 'bob', password);
  await send('delete', '/auth/me', { password }, bob.token).expect(204);
  const [carl, cleo] = [
    await signIn('/auth/register', 'carl', password),
    await signIn('/auth/register', 'cleo', password),
  ];
  return [
    ...(await organizationEvents(carl, cleo)),
    ['registered', carl.id, carl.sid],
    ['registered', cleo.id, cleo.sid],
    ['registered', ada.id, ada.sid],
    ['email_verified', ada.id, null],
    ['login_failed', ada.id, null],
    ['login_failed', null, null],
    ...[second, third, fourth, fifth, sixth, seventh].map(({ sid }): [string, string, string] => [
      'logged_in',
      ada.id,
      sid,
    ]),
    ['password_change_failed', ada.id, second.sid],
    ['password_check_failed', ada.id, ada.sid],
    ['account_exported', ada.id, ada.sid],
    ['logged_out', ada.id, third.sid],
    ['session_ended', ada.id, fourth.sid],
    ['password_changed', ada.id, second.sid],
    ['password_reset_asked', ada.id, null],
    ['password_reset', ada.id, null],
    ['logged_out_everywhere', ada.id, fifth.sid],
    ['refresh_token_replayed', ada.id, sixth.sid],
    ['account_deactivated', ada.id, seventh.sid],
    ['registered', bob.id, bob.sid],
    ['account_deleted', bob.id, bob.sid],
  ];
}

test('each event is written once, with who, from where and with what, and without a secret', async () => {
  const expected = await everything();
  const source = await readFile(join(root, 'server', 'auth', 'audit.ts'), 'utf8');
  const [, list = ''] = /type AuditEvent =([^;]+);/.exec(source) ?? [];
  const named = [...list.matchAll(/'(\w+)'/g)].map(([, event]) => event as string);
  expect([...new Set(expected.map(([event]) => event))].sort()).toEqual(named.sort());

  const lines = await all();
  const shown = lines.map(({ event, user_id, session_id }) => [event, user_id, session_id]);
  expect(shown.map(String).sort()).toEqual(expected.map(String).sort());
  for (const line of lines) expect(line).toMatchObject({ address, user_agent: userAgent });
  const written = JSON.stringify(await server.db.asAdmin('select to_jsonb(a) from app_private.audit_log a'));
  expect(secrets.length).toBeGreaterThan(30);
  for (const secret of secrets) expect(written).not.toContain(secret);
});

const eventsOf = async (tenant: Tenant): Promise<{ event: string }[]> => {
  const { body } = await tenant.graphql(
    '{ auditEvents(orderBy: CREATED_AT_DESC) { nodes { event address userAgent createdAt sessionId } } }',
  );
  return body.data.auditEvents.nodes;
};

test('tenants read what happened to their own account, failed logins too, and nothing of others', async () => {
  const [carol, dave] = [await signUp(server.app, 'carol'), await signUp(server.app, 'dave')];
  await send('post', '/auth/login', { email: carol.email, password: 'a guess of a stranger' }).expect(401);
  await send('post', '/auth/login', { email: 'nobody@example.com', password: 'a guess' }).expect(401);
  const events = await eventsOf(carol);
  expect(events).toEqual([
    { event: 'login_failed', address, userAgent, createdAt: expect.any(String), sessionId: null },
    {
      ...{ event: 'registered', address: expect.any(String), userAgent: null },
      createdAt: expect.any(String),
      sessionId: sessionOf(carol.token),
    },
  ]);
  expect((await eventsOf(dave)).map(({ event }) => event)).toEqual(['registered']);
  // They are there: of other users, and of nobody.
  const lines = await all();
  expect(lines.filter(({ user_id }) => user_id !== dave.id).length).toBeGreaterThan(20);
  expect(lines.filter(({ user_id }) => user_id === null).length).toBeGreaterThanOrEqual(2);

  const [own] = await server.db.asAdmin<{ id: string }>('select id from app_private.audit_log where user_id = $1', [
    carol.id,
  ]);
  const byKey = `{ auditEvent(rowId: "${own?.id}") { event } }`;
  expect((await carol.graphql(byKey)).body.data.auditEvent).not.toBeNull();
  expect((await dave.graphql(byKey)).body.data.auditEvent).toBeNull();
});

test('nobody changes a line: not the tenant, not sign-in, not the owner, and the API has no way to', async () => {
  const erin = await signUp(server.app, 'erin');
  const before = await all();
  const tenant = server.database.as(Identity.tenant(erin.id, sessionOf(erin.token)));
  const signIn = server.database.as(Identity.signIn);
  const changes = (table: string) => [
    `update ${table} set event = 'changed'`,
    `delete from ${table}`,
    `insert into ${table} (event) values ('logged_in')`,
  ];
  for (const text of [...changes('app_private.audit_log'), ...changes('app_public.audit_events')]) {
    expect([text, await sqlState(tenant.query({ text }))]).toEqual([text, '42501']);
  }
  const [update, remove] = changes('app_private.audit_log');
  for (const text of [update, 'truncate app_private.audit_log', 'select event from app_private.audit_log']) {
    expect([text, await sqlState(signIn.query({ text: text as string }))]).toEqual([text, '42501']);
  }
  // Sign-in's role may delete what is over, and sees nothing else.
  expect(await signIn.query({ text: 'select id from app_private.audit_log' })).toMatchObject({ rowCount: 0 });
  expect(await signIn.query({ text: remove as string })).toMatchObject({ rowCount: 0 });
  const owner = new pg.Client({ connectionString: server.db.ownerUrl });
  await owner.connect();
  await owner.query('alter table app_private.audit_log no force row level security');
  for (const text of [update, remove, 'truncate app_private.audit_log']) {
    const change = owner.query(text as string);
    await expect(change).rejects.toThrow('audit_log is append-only');
  }
  await owner.query('alter table app_private.audit_log force row level security');
  await owner.end();
  expect(await all()).toEqual(before);
  const mutations = Object.keys(server.graphqlSchema.getMutationType()?.getFields() ?? {});
  expect(mutations).toContain('createTodo');
  expect(mutations.filter((name) => /audit/i.test(name))).toEqual([]);
});

test('lines older than AUDIT_RETENTION_DAYS are cleared, and none of the last 30 days', async () => {
  await server.db.asAdmin(
    `insert into app_private.audit_log (event, created_at)
      select 'logged_in', now() - make_interval(days => days) from unnest(array[20, 29, 31, 60, 400]) as days`,
  );
  await server.db.asAdmin(
    `insert into app_private.audit_log (event, created_at)
      select 'logged_in', now() - interval '2 years' from generate_series(1, 12000)`,
  );
  const ages = async () =>
    (
      await server.db.asAdmin<{ days: number }>(
        `select extract(day from now() - created_at)::int as days from app_private.audit_log
          where created_at < now() - interval '10 days' order by created_at desc`,
      )
    ).map(({ days }) => days);
  const signIn = server.database.as(Identity.signIn);
  await clearAuditLog(signIn, 90);
  expect(await ages()).toEqual([20, 29, 31, 60]);
  await clearAuditLog(signIn, 1);
  expect(await ages()).toEqual([20, 29]);
});

test('what need not be kept is deleted as docs/operator.md says, and the log is as closed as before', async () => {
  const page = await readFile(join(root, 'docs', 'operator.md'), 'utf8');
  const [, prune = ''] = /```sql\n(begin;\nalter table app_private\.audit_log.*?)```/s.exec(page) ?? [];
  const before = await all();
  const insert = `insert into app_private.audit_log (event, created_at) values ('logged_in', now() - interval '2 years')`;
  await server.db.asAdmin(insert);
  expect(await all()).toHaveLength(before.length + 1);
  const owner = new pg.Client({ connectionString: server.db.ownerUrl });
  await owner.connect();
  await owner.query(prune);
  expect(await all()).toEqual(before);
  await expect(owner.query('delete from app_private.audit_log')).rejects.toThrow('audit_log is append-only');
  await owner.end();
  const [state] = await server.db.asAdmin(
    `select relforcerowsecurity, (select tgenabled from pg_trigger where tgrelid = c.oid and tgname = 'append_only') as trigger
    from pg_class c where oid = 'app_private.audit_log'::regclass`,
  );
  expect(state).toEqual({ relforcerowsecurity: true, trigger: 'O' });
});
