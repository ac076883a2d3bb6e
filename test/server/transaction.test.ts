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

test('a statement runs as the tenant, and nothing of it stays on the connection', async () => {
  const before = await connection();
  const { rows } = await database.as(identity).query({
    text: `select current_user as role, current_setting('app.current_user_id') as user, app_public.current_user_id() as id`,
  });
  expect(rows).toEqual([{ role: 'hedgerow_tenant', user: ada.id, id: ada.id }]);
  await database.as(identity).query(insert('a'));
  await database.as(identity).transaction(({ query }) => query(insert('b')));
  expect(await titles()).toEqual(['a', 'b']);
  expect(before).toEqual(clean);
  expect(await connection()).toEqual(before);
});

test('a statement that fails leaves the connection as it was', async () => {
  const before = await connection();
  for (const attempt of [
    database.as(identity).query(failing),
    database.as(identity).query({ text: 'not even sql' }),
    database.as(identity).transaction(({ query }) => query(failing)),
  ]) {
    expect(await sqlState(attempt)).toMatch(/^(22012|42601)$/);
    expect(await connection()).toEqual(before);
  }
  expect((await database.as(identity).query({ text: 'select from app_public.users' })).rowCount).toBe(1);
});

test('a transaction that throws is rolled back', async () => {
  const before = await connection();
  const attempt = database.as(identity).transaction(async ({ query }) => {
    await query(insert());
    throw new Error('changed my mind');
  });
  await expect(attempt).rejects.toThrow('changed my mind');
  expect(await titles()).toEqual([]);
  expect(await connection()).toEqual(before);
});

test('a transaction in which a swallowed statement failed does not report success', async () => {
  const attempt = database.as(identity).transaction(async ({ query }) => {
    await query(insert());
    await query(failing).catch(() => {});
    return 'done';
  });
  await expect(attempt).rejects.toThrow();
  expect(await titles()).toEqual([]);
  expect(await connection()).toEqual(clean);
});

test('SQL that ends the transaction it is in does not carry on as the tenant, nor as anybody', async () => {
  for (const text of ['commit', 'rollback', 'begin', 'reset role', 'set role none']) {
    await database
      .as(identity)
      .query({ text })
      .catch(() => {});
    await database
      .as(identity)
      .transaction(({ query }) => query({ text }))
      .catch(() => {});
    expect(await connection()).toEqual(clean);
  }
});
