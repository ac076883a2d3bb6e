import { randomUUID } from 'node:crypto';
import { jest } from '@jest/globals';
import { type Database, IdentityRefusedError } from '../../server/database/database.ts';
import { Identity } from '../../server/database/identity.ts';
import type { Statement } from '../../server/database/statement.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { createAccount, sqlState } from '../support/sql.ts';

let db: TestDatabase;
let database: Database;
let ada: { id: string; sessionId: string };
let identity: Identity;

beforeAll(async () => {
  db = await createTestDatabase();
  ada = await createAccount(db, 'ada');
  identity = Identity.tenant(ada.id, ada.sessionId);
});
beforeEach(() => {
  database = openConnections(db);
});
afterEach(async () => {
  await database.close();
  await db.asAdmin('delete from app_public.todos');
});
afterAll(() => db.drop());

const insert = (title = 'x'): Statement => ({
  text: 'insert into app_public.todos (title) values ($1)',
  values: [title],
});
const failing: Statement = { text: 'select 1 / 0' };
const titles = async () =>
  (await db.asAdmin('select title from app_public.todos order by 1')).map(({ title }) => title);

/** Which connection the pool of one has, and what is left on it of whoever used it before. */
async function connection() {
  const { rows } = await database.inspect<{ pid: number; role: string; user: string | null }>({
    text: `select pg_backend_pid() as pid, current_user as role, nullif(current_setting('app.current_user_id', true), '') as user`,
  });
  return rows[0];
}

const clean = { pid: expect.any(Number), role: 'hedgerow_authenticator', user: null };

const garbage: unknown[] = [
  undefined,
  null,
  '',
  'garbage',
  `' or true --`,
  'a\0b',
  'x'.repeat(1_000_000),
  0,
  1,
  {},
  [],
  Symbol('x'),
];

test.each(garbage.map((value) => [String(value).slice(0, 20), value]))(
  '%s is nobody, so nothing runs',
  async (_, value) => {
    const ids: [unknown, unknown][] = [
      [value, value],
      [ada.id, value],
      [value, ada.sessionId],
    ];
    for (const [userId, sessionId] of ids) {
      const wrong = Identity.tenant(userId as string, sessionId as string);
      await expect(database.as(wrong).query(insert())).rejects.toThrow();
      await expect(database.as(wrong).transaction(({ query }) => query(insert()))).rejects.toThrow();
    }
    expect(await titles()).toEqual([]);
    expect(await connection()).toEqual(clean);
  },
);

test("nobody's and sign-in's identities write no tenant's rows", async () => {
  for (const other of [Identity.nobody, Identity.signIn])
    expect(await sqlState(database.as(other).query(insert()))).toBe('42501');
  expect((await database.as(Identity.nobody).query({ text: 'select from app_public.users' })).rowCount).toBe(0);
});

const endings: [string, string][] = [
  ['revoked', 'update app_private.sessions set revoked_at = now() where user_id = $1'],
  ['expired', 'update app_private.sessions set expires_at = now() where user_id = $1'],
  ['of a deactivated user', 'update app_private.credentials set is_active = false where user_id = $1'],
  ['of a deleted user', 'delete from app_public.users where id = $1'],
];

test.each(endings)('when the session is %s, the statement does not run', async (_, ending) => {
  const account = await createAccount(db, `gone-${randomUUID().slice(0, 8)}`);
  const gone = Identity.tenant(account.id, account.sessionId);
  await database.as(gone).query(insert('before'));
  await db.asAdmin(ending, [account.id]);
  await db.asAdmin('delete from app_public.todos');
  await expect(database.as(gone).query(insert())).rejects.toThrow(IdentityRefusedError);
  const work = jest.fn(async () => {});
  await expect(database.as(gone).transaction(work)).rejects.toThrow(IdentityRefusedError);
  expect(work).not.toHaveBeenCalled();
  expect(await titles()).toEqual([]);
  expect(await connection()).toEqual(clean);
});

test("another tenant's session, or none at all, is refused", async () => {
  const bob = await createAccount(db, 'bob');
  for (const [userId, sessionId] of [
    [ada.id, bob.sessionId],
    [bob.id, ada.sessionId],
    [ada.id, randomUUID()],
    [randomUUID(), ada.sessionId],
  ])
    await expect(database.as(Identity.tenant(userId as string, sessionId as string)).query(insert())).rejects.toThrow(
      IdentityRefusedError,
    );
  expect(await titles()).toEqual([]);
});

test.each([undefined, null, {}, 'ada'])(
  '%p in place of an identity runs nothing',
  async (none) => {
    const own = openConnections(db);
    const client = async () => own.as(none as never);
    await expect(client().then(({ query }) => query(insert()))).rejects.toThrow();
    await expect(client().then(({ transaction }) => transaction(({ query }) => query(insert())))).rejects.toThrow();
    expect(await titles()).toEqual([]);
    await own.close();
  },
  5_000,
);
