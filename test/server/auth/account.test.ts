import { readFile } from 'node:fs/promises';
import jwt from 'jsonwebtoken';
import pg from 'pg';
import { hashPassword } from '../../../server/auth/passwords/passwords.ts';
import { makeRows } from '../../support/rows.ts';
import { jwtSecret, serve, signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { alive, ended, type Session, send, signInAgain, statuses } from '../../support/signIn.ts';
import { whileHeld } from '../../support/whileHeld.ts';

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

const newPassword = 'another long password';

let accounts = 0;
/** A name that no other account has. */
const fresh = (name: string) => `${name}${++accounts}`;
const changePassword = ({ token }: Session, body: object) => send(server.app, 'post', '/auth/password', token, body);
const deactivate = ({ token }: Session, body?: object) => send(server.app, 'post', '/auth/deactivate', token, body);
const remove = ({ token }: Session, body?: object) => send(server.app, 'delete', '/auth/me', token, body);
const login = ({ email }: Tenant, password: string) =>
  send(server.app, 'post', '/auth/login', undefined, { email, password });
const refresh = ({ refreshToken }: Session) => send(server.app, 'post', '/auth/refresh', undefined, { refreshToken });

const eventsOf = async ({ id }: Tenant) => {
  const text = 'select event from app_private.audit_log where user_id = $1 order by created_at';
  return (await server.db.asAdmin(text, [id])).map(({ event }) => event);
};

/** Both instances say the same of the session's access token, and refreshing agrees. */
async function expectState(session: Session, state: 'alive' | 'ended'): Promise<void> {
  for (const { app } of [server, other]) {
    expect(await statuses(app, session.token)).toEqual(state === 'alive' ? alive : ended);
  }
  await refresh(session).expect(state === 'alive' ? 200 : 401);
}

const wrong = (path: string, message = `${path} is wrong`) => ({
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  detail: 'Some fields of the input are invalid. See `errors`.',
  errors: [{ path, message }],
});

/** Runs `statement` of another transaction that stays open until `work` waits for it, does `last` and commits it then. */
const meanwhile = <T>(statement: string, values: unknown[], work: () => PromiseLike<T>, last?: string) =>
  whileHeld(server.db, { statement, values, ...(last && { last }) }, 1, work);

const setPassword = 'update app_private.credentials set password_hash = $2 where user_id = $1';
const sessionIds = async ({ id }: Tenant) =>
  (await server.db.asAdmin('select id from app_private.sessions where user_id = $1', [id])).map((row) => row.id);

describe('a new password', () => {
  test('ends every other session, and keeps this one', async () => {
    const ada = await signUp(server.app, 'ada');
    const [elsewhere, bystander] = [await signInAgain(server.app, ada), await signUp(server.app, 'ada2')];
    await server.db.asAdmin(
      `insert into app_private.mail_tokens (user_id, purpose, token_hash, email, expires_at)
      select id, purpose, sha256((id::text || purpose)::bytea), email, now() + interval '1 hour'
      from app_public.users, unnest(array['reset password', 'verify email']) as purpose where id = any ($1)`,
      [[ada.id, bystander.id]],
    );
    await changePassword(ada, { currentPassword: ada.password, newPassword }).expect(204, {});
    await expectState(ada, 'alive');
    await expectState(elsewhere, 'ended');
    await expectState(bystander, 'alive');
    await login(ada, ada.password).expect(401);
    await login(ada, newPassword).expect(200);
    expect(await eventsOf(ada)).toEqual(['registered', 'logged_in', 'password_changed', 'login_failed', 'logged_in']);
    expect(
      await server.db.asAdmin(
        'select username, purpose from app_private.mail_tokens join app_public.users on id = user_id order by 1, 2',
      ),
    ).toEqual([
      { username: 'ada', purpose: 'verify email' },
      { username: 'ada2', purpose: 'reset password' },
      { username: 'ada2', purpose: 'verify email' },
    ]);
    const [stored] = await server.db.asAdmin('select password_hash from app_private.credentials where user_id = $1', [
      ada.id,
    ]);
    expect(stored?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  test('needs the current one, and ends nothing without it', async () => {
    const bob = await signUp(server.app, 'bob');
    const elsewhere = await signInAgain(server.app, bob);
    const answer = await changePassword(bob, { currentPassword: newPassword, newPassword }).expect(400);
    expect(answer.body).toEqual(wrong('currentPassword'));
    await expectState(bob, 'alive');
    await expectState(elsewhere, 'alive');
    await login(bob, bob.password).expect(200);
    await login(bob, newPassword).expect(401);
    expect(await eventsOf(bob)).toContain('password_change_failed');
    expect(await eventsOf(bob)).not.toContain('password_changed');
  });

  test.each([
    [['currentPassword', 'newPassword'], {}],
    [['currentPassword'], { newPassword }],
    [['newPassword'], { currentPassword: newPassword }],
    [['currentPassword', 'newPassword'], { currentPassword: 1, newPassword: [newPassword] }],
    [['currentPassword'], { currentPassword: 'x'.repeat(1001), newPassword }],
    [['newPassword'], { currentPassword: newPassword, newPassword: 'nine char' }],
    [['newPassword'], { currentPassword: newPassword, newPassword: 'x'.repeat(129) }],
  ])('is refused by the path of what is wrong, %j', async (paths, body) => {
    const { token, ...carol } = await signUp(server.app, fresh('carol'));
    const answer = await changePassword({ ...carol, token }, body).expect(400);
    const named: string[] = answer.body.errors.map(({ path }: { path: string }) => path);
    expect([...new Set(named)]).toEqual(paths);
    for (const { path, message } of answer.body.errors) expect(message).toMatch(new RegExp(`^${path} (is|must)`));
    await login({ ...carol, token }, carol.password).expect(200);
  });

  test('is one of those that were asked for at once', async () => {
    const dave = await signUp(server.app, 'dave');
    const elsewhere = await signInAgain(server.app, dave);
    const passwords = Array.from({ length: 6 }, (_, index) => `long password number ${index}`);
    const answers = await Promise.all(
      passwords.map((newPassword) => changePassword(dave, { currentPassword: dave.password, newPassword })),
    );
    const given = answers.map(({ status }) => status);
    expect(given.toSorted()).toEqual([204, 400, 400, 400, 400, 400]);
    for (const { status, body } of answers) if (status === 400) expect(body).toEqual(wrong('currentPassword'));
    for (const [index, password] of passwords.entries()) {
      await login(dave, password).expect(given[index] === 204 ? 200 : 401);
    }
    await expectState(dave, 'alive');
    await expectState(elsewhere, 'ended');
  });

  test('asked for in two sessions at once leaves one of them', async () => {
    const erin = await signUp(server.app, 'erin');
    const elsewhere = await signInAgain(server.app, erin);
    const body = { currentPassword: erin.password, newPassword };
    const answers = await Promise.all([changePassword(erin, body), changePassword(elsewhere, body)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 401]);
    const [won, lost] = answers[0].status === 204 ? [erin, elsewhere] : [elsewhere, erin];
    await expectState(won, 'alive');
    await expectState(lost, 'ended');
  });

  test('is not set over one that was set while the current one was checked', async () => {
    const frank = await signUp(server.app, 'frank');
    const values = [frank.id, await hashPassword('set in the meantime')];
    const answer = await meanwhile(setPassword, values, () =>
      changePassword(frank, { currentPassword: frank.password, newPassword }),
    );
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(wrong('currentPassword'));
    await login(frank, newPassword).expect(401);
    await login(frank, 'set in the meantime').expect(200);
  });

  test('leaves no session that began with the old one in the meantime', async () => {
    const grace = await signUp(server.app, 'grace');
    const values = [grace.id, await hashPassword(newPassword)];
    const answer = await meanwhile(setPassword, values, () => login(grace, grace.password));
    expect(answer.status).toBe(401);
    await expectState(grace, 'alive');
  });

  test('waits for a reset of it that is under way', async () => {
    const gustav = await signUp(server.app, 'gustav');
    await fill(gustav);
    const answer = await meanwhile(
      'delete from app_private.mail_tokens where user_id = $1',
      [gustav.id],
      () => changePassword(gustav, { currentPassword: gustav.password, newPassword }),
      'update app_private.credentials set is_active = is_active where user_id = $1',
    );
    expect(answer.status).toBe(204);
  });

  test('that differs only in the hash lets the login in that waited for it', async () => {
    const heidi = await signUp(server.app, 'heidi');
    const values = [heidi.id, await hashPassword(heidi.password)];
    const answer = await meanwhile(setPassword, values, () => login(heidi, heidi.password));
    expect(answer.status).toBe(200);
    expect(await statuses(server.app, answer.body.accessToken)).toEqual(alive);
  });
});

describe('deactivating', () => {
  test('ends every session and lets nobody in, until the operator says so', async () => {
    const ivan = await signUp(server.app, 'ivan');
    const elsewhere = await signInAgain(server.app, ivan);
    await fill(ivan);
    await deactivate(ivan, { password: ivan.password }).expect(204, {});
    await expectState(ivan, 'ended');
    await expectState(elsewhere, 'ended');
    const refused = await login(ivan, ivan.password).expect(401);
    expect(refused.body.detail).toBe('The email address or the password is wrong.');
    expect(await eventsOf(ivan)).toEqual(['registered', 'logged_in', 'account_deactivated', 'login_failed']);

    const [, sql] =
      /## A deactivated account.*?```sql\n(.*?)```/s.exec(await readFile('docs/operator.md', 'utf8')) ?? [];
    const operator = new pg.Client({ connectionString: server.db.serverUrl });
    await operator.connect();
    await operator.query((sql as string).replace('carol@example.com', ivan.email));
    await operator.end();
    await expectState(ivan, 'ended');
    const { body } = await login(ivan, ivan.password).expect(200);
    const todos = await send(server.app, 'post', '/graphql', body.accessToken, {
      query: '{ todos { nodes { title } } }',
    });
    expect(todos.body.data.todos.nodes).toEqual([{ title: 'mine' }]);
    const endedOfIssuer =
      'select not_before > created_at as ended from app_private.external_identities where user_id = $1';
    expect(await server.db.asAdmin(endedOfIssuer, [ivan.id])).toEqual([{ ended: true }]);
  });

  test('leaves no session that began in the meantime', async () => {
    const judy = await signUp(server.app, 'judy');
    const answer = await meanwhile(
      'update app_private.credentials set is_active = false where user_id = $1',
      [judy.id],
      () => login(judy, judy.password),
    );
    expect(answer.status).toBe(401);
  });
});

/** How many rows there are of the user in each table that has a user_id, and in users. */
async function rowsOf({ id }: Tenant): Promise<Record<string, number>> {
  const tables = await server.db.asAdmin<{ name: string }>(
    `select attrelid::regclass::text as name from pg_attribute a join pg_class c on c.oid = attrelid
    where attname = 'user_id' and relkind in ('r', 'p') and relnamespace::regnamespace::text ~ '^app_' order by 1`,
  );
  const count = async (table: string, column: string) =>
    Number((await server.db.asAdmin(`select count(*) from ${table} where ${column} = $1`, [id]))[0]?.count);
  const counts = await Promise.all(tables.map(async ({ name }) => [name, await count(name, 'user_id')] as const));
  return Object.fromEntries([...counts, ['app_public.users', await count('app_public.users', 'id')]]);
}

/** Rows of the user in every table, those too that only other settings of the server would fill. */
async function fill(tenant: Tenant): Promise<void> {
  await makeRows(tenant, 'mine');
  const { id } = tenant;
  await server.db.asAdmin("insert into app_private.last_writes (user_id, transaction) values ($1, '1')", [id]);
  await server.db.asAdmin(
    "insert into app_private.external_identities (issuer, subject, user_id) select 'https://issuer.example', id::text, id from app_public.users where id = $1",
    [id],
  );
  await server.db.asAdmin(
    `insert into app_private.mail_tokens (user_id, purpose, token_hash, email, expires_at)
    select id, 'reset password', sha256(id::text::bytea), email, now() + interval '1 hour' from app_public.users where id = $1`,
    [id],
  );
}

describe('deleting', () => {
  test('takes every row of the user, and none of anybody else', async () => {
    const karl = await signUp(server.app, 'karl');
    const [elsewhere, bystander] = [await signInAgain(server.app, karl), await signUp(server.app, 'karl2')];
    await Promise.all([fill(karl), fill(bystander)]);
    const [before, theirs] = [await rowsOf(karl), await rowsOf(bystander)];
    const filled = Object.keys(before).filter((table) => before[table] !== 0);
    expect(filled).toEqual(
      expect.arrayContaining([
        ...['app_private.credentials', 'app_private.external_identities', 'app_private.last_writes'],
        ...['app_private.mail_tokens', 'app_private.sessions'],
        ...['app_public.lists', 'app_public.todos', 'app_public.users'],
      ]),
    );

    await remove(karl, { password: karl.password }).expect(204, {});

    const { 'app_private.audit_log': kept, ...after } = await rowsOf(karl);
    expect([...new Set(Object.values(after))]).toEqual([0]);
    expect(kept).toBe((before['app_private.audit_log'] as number) + 1);
    expect(await eventsOf(karl)).toEqual(['registered', 'logged_in', 'account_deleted']);
    expect(await rowsOf(bystander)).toEqual(theirs);
    await expectState(karl, 'ended');
    await expectState(elsewhere, 'ended');
    await expectState(bystander, 'alive');
    await login(karl, karl.password).expect(401);
    await signUp(server.app, 'karl');
  });

  test('and a login at the same time wait for each other without harm', async () => {
    const liam = await signUp(server.app, 'liam');
    const [removed, ...logins] = await Promise.all([
      remove(liam, { password: liam.password }),
      ...Array.from({ length: 6 }, () => login(liam, liam.password)),
    ]);
    expect(removed.status).toBe(204);
    for (const { status, body } of logins) {
      expect([200, 401]).toContain(status);
      if (status === 200) expect(await statuses(server.app, body.accessToken)).toEqual(ended);
    }
  });

  test('takes a session with it that began meanwhile', async () => {
    const moritz = await signUp(server.app, 'moritz');
    const answer = await meanwhile(
      'select from app_private.credentials where user_id = $1 for share',
      [moritz.id],
      () => remove(moritz, { password: moritz.password }),
      `insert into app_private.sessions (user_id, family_hash, refresh_token_hash, expires_at)
      select id, sha256('x'), sha256('x'), now() + interval '1 day' from app_public.users where id = $1`,
    );
    expect(answer.status).toBe(204);
    expect(await sessionIds(moritz)).toEqual([]);
  });

  test('waits for a password reset that is under way', async () => {
    const nora = await signUp(server.app, 'nora');
    await fill(nora);
    const answer = await meanwhile(
      'delete from app_private.mail_tokens where user_id = $1',
      [nora.id],
      () => remove(nora, { password: nora.password }),
      'update app_private.credentials set is_active = is_active where user_id = $1',
    );
    expect(answer.status).toBe(204);
  });

  test('happens once, however often it is asked for', async () => {
    const mia = await signUp(server.app, 'mia');
    const answers = await Promise.all(Array.from({ length: 4 }, () => remove(mia, { password: mia.password })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 401, 401, 401]);
    expect((await eventsOf(mia)).filter((event) => event === 'account_deleted')).toHaveLength(1);
  });
});

describe.each([
  ['deactivating', deactivate],
  ['deleting', remove],
])('%s', (name, act) => {
  test.each<[string, object | undefined]>([
    ['password is needed', undefined],
    ['password is needed', {}],
    ['password must be text', { password: 1 }],
    ['password must be text', { password: null }],
    ['password is too long', { password: 'x'.repeat(1001) }],
    ['password is wrong', { password: newPassword }],
    ['password is wrong', { password: '' }],
  ])('changes nothing where %s', async (message, body) => {
    const user = await signUp(server.app, fresh('nina'));
    expect((await act(user, body).expect(400)).body).toEqual(wrong('password', message));
    await expectState(user, 'alive');
    const failed = message === 'password is wrong' ? ['password_check_failed'] : [];
    expect(await eventsOf(user)).toEqual(['registered', ...failed]);
  });

  test('asks again where the password was changed in the meantime', async () => {
    const user = await signUp(server.app, `oskar-${name}`);
    const values = [user.id, await hashPassword(newPassword)];
    const answer = await meanwhile(setPassword, values, () => act(user, { password: user.password }));
    expect(answer.body).toEqual(wrong('password'));
    await expectState(user, 'alive');
  });

  test('asks for a token of the last five minutes where there is no password', async () => {
    const user = await signUp(server.app, `paula-${name}`);
    await server.db.asAdmin('update app_private.credentials set password_hash = null where user_id = $1', [user.id]);
    const claims = jwt.decode(user.token) as jwt.JwtPayload;
    const issued = (secondsAgo: number) => ({
      ...user,
      token: jwt.sign({ ...claims, iat: (claims.iat as number) - secondsAgo }, jwtSecret),
    });
    const { body } = await act(issued(301), { password: user.password }).expect(403);
    expect(body).toMatchObject({ status: 403, detail: expect.stringMatching(/Sign in again/) });
    await expectState(user, 'alive');
    await act(issued(200)).expect(204);
    await expectState(user, 'ended');
  });
});

test('an account without a password cannot change it', async () => {
  const rosa = await signUp(server.app, 'rosa');
  await server.db.asAdmin('update app_private.credentials set password_hash = null where user_id = $1', [rosa.id]);
  const { body } = await changePassword(rosa, { currentPassword: rosa.password, newPassword }).expect(400);
  expect(body).toEqual(wrong('currentPassword', 'this account has no password: it signs in with an external issuer'));
  await login(rosa, newPassword).expect(401);
});

test.each([
  ['post', '/auth/password', { currentPassword: newPassword, newPassword }],
  ['post', '/auth/deactivate', { password: newPassword }],
  ['delete', '/auth/me', { password: newPassword }],
] as const)('%s %s is for who is signed in', async (method, path, body) => {
  const name = `sam${path.replaceAll('/', '-')}`;
  const sam = await signUp(server.app, name);
  await send(server.app, method, path, undefined, body).expect(401);
  await send(server.app, method, path, 'garbage', body).expect(401);
  await send(server.app, 'post', '/auth/logout', undefined, { refreshToken: sam.refreshToken }).expect(204);
  const answer = await send(server.app, method, path, sam.token, body).expect(401);
  expect(answer.body).toMatchObject({ status: 401, detail: expect.stringMatching(/access token/) });
});

test.each([
  ['password', (tenant: Tenant) => ({ currentPassword: tenant.email, newPassword })],
  ['deactivate', (tenant: Tenant) => ({ password: tenant.email })],
])('guessing at %s is bounded for the account', async (path, body) => {
  const strict = await serve(server.db, { limitFactor: 1 });
  const tina = await signUp(strict.app, `tina-${path}`);
  const guess = () => send(strict.app, 'post', `/auth/${path}`, tina.token, body(tina));
  const answers = [];
  for (let tries = 0; tries < 11; tries++) answers.push(await guess());
  await strict.close();
  expect(answers.slice(0, 10).map(({ status }) => status)).toEqual(Array(10).fill(400));
  expect(answers[10]?.status).toBe(429);
  expect(answers[10]?.headers['retry-after']).toMatch(/^[1-9]\d*$/);
});

test.each(['frank\ud800@example.com', "' or true --", '{}'])(
  'an address that cannot be, %j, is one that nobody has',
  async (email) => {
    const { body } = await send(server.app, 'post', '/auth/login', undefined, { email, password: newPassword }).expect(
      401,
    );
    expect(body.detail).toBe('The email address or the password is wrong.');
  },
);

test('the right password starts the count of guesses again', async () => {
  const strict = await serve(server.db, { limitFactor: 1 });
  const uwe = await signUp(strict.app, 'uwe');
  const change = (currentPassword: string) =>
    send(strict.app, 'post', '/auth/password', uwe.token, { currentPassword, newPassword });
  const answers = [];
  for (const password of [...Array(9).fill('wrong'), uwe.password, 'wrong']) answers.push(await change(password));
  await strict.close();
  expect(answers.map(({ status }) => status)).toEqual([...Array(9).fill(400), 204, 400]);
});

test('an address with NUL is refused by its path', async () => {
  const email = 'fr\0ank@example.com';
  const { body } = await send(server.app, 'post', '/auth/login', undefined, { email, password: newPassword }).expect(
    400,
  );
  expect(body).toEqual(wrong('email', 'email must not contain a NUL character'));
});
