import { randomUUID } from 'node:crypto';
import { Identity } from '../../server/tenancy/identity.ts';
import { type Database, IdentityRefusedError, type Transaction } from '../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { clean, connectionState, createAccount, insertTodo, sqlState, todoTitles } from '../support/sql.ts';

let db: TestDatabase;
let database: Database;
let ada: { id: string; sessionId: string };

beforeAll(async () => {
  db = await createTestDatabase();
  ada = await createAccount(db, 'ada');
});
beforeEach(() => {
  database = openConnections(db);
});
afterEach(async () => {
  await database.close();
  await db.asAdmin('delete from app_public.todos');
});
afterAll(() => db.drop());

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
      await expect(database.as(wrong).query(insertTodo())).rejects.toThrow();
      await expect(database.as(wrong).transaction(({ query }) => query(insertTodo()))).rejects.toThrow();
    }
    expect(await todoTitles(db)).toEqual([]);
    expect(await connectionState(database)).toEqual(clean);
  },
);

test("nobody's and sign-in's identities write no tenant's rows", async () => {
  for (const other of [Identity.nobody, Identity.signIn])
    expect(await sqlState(database.as(other).query(insertTodo()))).toBe('42501');
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
  await database.as(gone).query(insertTodo('before'));
  await db.asAdmin(ending, [account.id]);
  await db.asAdmin('delete from app_public.todos');
  await expect(database.as(gone).query(insertTodo())).rejects.toThrow(IdentityRefusedError);
  for (const work of [({ query }: Transaction) => query(insertTodo()), () => Promise.resolve('no statement')])
    await expect(database.as(gone).transaction<unknown>(work)).rejects.toThrow(IdentityRefusedError);
  expect(await todoTitles(db)).toEqual([]);
  expect(await connectionState(database)).toEqual(clean);
});

test("another tenant's session, or none at all, is refused", async () => {
  const bob = await createAccount(db, 'bob');
  for (const [userId, sessionId] of [
    [ada.id, bob.sessionId],
    [bob.id, ada.sessionId],
    [ada.id, randomUUID()],
    [randomUUID(), ada.sessionId],
  ])
    await expect(
      database.as(Identity.tenant(userId as string, sessionId as string)).query(insertTodo()),
    ).rejects.toThrow(IdentityRefusedError);
  expect(await todoTitles(db)).toEqual([]);
});

test.each([undefined, null, {}, 'ada'])(
  '%p in place of an identity runs nothing',
  async (none) => {
    const own = openConnections(db);
    const client = async () => own.as(none as never);
    await expect(client().then(({ query }) => query(insertTodo()))).rejects.toThrow();
    await expect(client().then(({ transaction }) => transaction(({ query }) => query(insertTodo())))).rejects.toThrow();
    expect(await todoTitles(db)).toEqual([]);
    await own.close();
  },
  5_000,
);
