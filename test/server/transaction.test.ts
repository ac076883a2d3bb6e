import type { Statement } from '../../postgres/statement.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import type { Database } from '../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { clean, connectionState, createAccount, insertTodo, sqlState, todoTitles } from '../support/sql.ts';

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

const failing: Statement = { text: 'select 1 / 0' };

test('a statement runs as the tenant, and leaves no state on the connection', async () => {
  const before = await connectionState(database);
  const { rows } = await database.as(identity).query({
    text: `select current_user as role, current_setting('app.current_user_id') as user, app_public.current_user_id() as id`,
  });
  expect(rows).toEqual([{ role: 'hedgerow_tenant', user: ada.id, id: ada.id }]);
  await database.as(identity).query(insertTodo('a'));
  await database.as(identity).transaction(({ query }) => query(insertTodo('b')));
  expect(await todoTitles(db)).toEqual(['a', 'b']);
  expect(before).toEqual(clean);
  expect(await connectionState(database)).toEqual(before);
});

test('a statement that fails leaves the connection as it was', async () => {
  const before = await connectionState(database);
  for (const attempt of [
    database.as(identity).query(failing),
    database.as(identity).query({ text: 'not even sql' }),
    database.as(identity).transaction(({ query }) => query(failing)),
  ]) {
    expect(await sqlState(attempt)).toMatch(/^(22012|42601)$/);
    expect(await connectionState(database)).toEqual(before);
  }
  expect((await database.as(identity).query({ text: 'select from app_public.users' })).rowCount).toBe(1);
});

test('a transaction that throws is rolled back', async () => {
  const before = await connectionState(database);
  const attempt = database.as(identity).transaction(async ({ query }) => {
    await query(insertTodo());
    throw new Error('changed my mind');
  });
  await expect(attempt).rejects.toThrow('changed my mind');
  expect(await todoTitles(db)).toEqual([]);
  expect(await connectionState(database)).toEqual(before);
});

test('a transaction in which a swallowed statement failed does not report success', async () => {
  const attempt = database.as(identity).transaction(async ({ query }) => {
    await query(insertTodo());
    await query(failing).catch(() => {});
    return 'done';
  });
  await expect(attempt).rejects.toThrow();
  expect(await todoTitles(db)).toEqual([]);
  expect(await connectionState(database)).toEqual(clean);
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
    expect(await connectionState(database)).toEqual(clean);
  }
});
