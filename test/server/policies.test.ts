import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createAccount, sqlState } from '../support/sql.ts';

let db: TestDatabase;
let client: pg.Client;
let ada: string;
let bob: string;
const list = randomUUID();
const todo = randomUUID();

beforeAll(async () => {
  db = await createTestDatabase();
  client = new pg.Client({ connectionString: db.serverUrl });
  await client.connect();
  ada = (await createAccount(db, 'ada')).id;
  bob = (await createAccount(db, 'bob')).id;
  await as(ada, `insert into app_public.lists (id, name) values ($1, 'Errands')`, [list]);
  await as(ada, `insert into app_public.todos (id, list_id, title) values ($1, $2, 'ada''s')`, [todo, list]);
  await as(bob, `insert into app_public.todos (title) values ('bob''s')`);
});
afterAll(async () => {
  await client.end();
  await db.drop();
});

/** One statement in a committed transaction that is `role`, on behalf of `user`. */
async function as(user: string | null, text: string, values: unknown[] = [], role = 'hedgerow_tenant') {
  await client.query('begin');
  try {
    await client.query(`select set_config('role', $1, true), set_config('app.current_user_id', $2, true)`, [
      role,
      user,
    ]);
    const result = await client.query(text, values);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function adasRows(): Promise<unknown> {
  return db.asAdmin(
    `select xmin::text, to_jsonb(t) as row from app_public.todos t where user_id = $1
    union all select xmin::text, to_jsonb(l) from app_public.lists l where user_id = $1
    union all select xmin::text, to_jsonb(u) from app_public.users u where id = $1 order by 2`,
    [ada],
  );
}

/** Runs `attack` and shows that it left ada's rows as they were, down to their versions. */
async function leavesAdaAlone<T>(attack: () => Promise<T>): Promise<T> {
  const before = await adasRows();
  expect(before).toHaveLength(3);
  const result = await attack();
  expect(await adasRows()).toEqual(before);
  return result;
}

test('a blind update changes only the rows of the tenant', async () => {
  const updated = await leavesAdaAlone(() => as(bob, 'update app_public.todos set completed = true'));
  expect(updated.rowCount).toBe(1);
  expect(await db.asAdmin('select user_id from app_public.todos where completed')).toEqual([{ user_id: bob }]);
});

test('a blind delete removes only the rows of the tenant', async () => {
  const { rowCount } = await leavesAdaAlone(() => as(bob, 'delete from app_public.todos'));
  expect(rowCount).toBe(1);
  expect((await as(bob, 'delete from app_public.lists')).rowCount).toBe(0);
  await as(bob, `insert into app_public.todos (title) values ('bob''s')`);
});

test.each([
  'select from app_public.todos where id = $1',
  'select from app_public.todos where id = $1 for update',
  'select from app_public.lists l join app_public.todos t on t.list_id = l.id where t.id = $1',
  'update app_public.todos set title = title where id = $1 returning *',
  'delete from app_public.todos where id = $1',
])('a row of another tenant is not there for: %s', async (text) => {
  expect((await leavesAdaAlone(() => as(bob, text, [todo]))).rowCount).toBe(0);
});

test.each([
  ['insert for another tenant', 'insert into app_public.todos (user_id, title) values ($1, $2)'],
  ['insert a list for another tenant', 'insert into app_public.lists (user_id, name) values ($1, $2)'],
  ['give a todo away', 'update app_public.todos set user_id = $1, title = $2'],
  ['change when a row was created', `update app_public.todos set created_at = now() where title in ($1, $2)`],
  ['change an account', 'update app_public.users set username = $2 where id = $1'],
  ['read credentials', 'select from app_private.credentials where user_id::text in ($1, $2)'],
])('a tenant may not %s', async (_, text) => {
  expect(await leavesAdaAlone(() => sqlState(as(bob, text, [ada, 'x'])))).toBe('42501');
});

test.each(['truncate app_public.todos', 'truncate app_public.lists cascade'])('a tenant may not %s', async (text) => {
  expect(await leavesAdaAlone(() => sqlState(as(bob, text)))).toBe('42501');
});

test("a todo cannot be attached to another tenant's list", async () => {
  const attach = `insert into app_public.todos (title, list_id) values ('x', $1)`;
  const move = 'update app_public.todos set list_id = $1';
  for (const text of [attach, move]) {
    expect(await leavesAdaAlone(() => sqlState(as(bob, text, [list])))).toBe('23503');
    expect(await sqlState(as(bob, text, [randomUUID()]))).toBe('23503');
  }
  expect(await sqlState(as(ada, attach, [list]))).toBeUndefined();
  await as(ada, `delete from app_public.todos where title = 'x'`);
});

test('no unique violation tells what another tenant has', async () => {
  await leavesAdaAlone(async () => {
    const lists = await as(
      bob,
      `insert into app_public.lists (id, name) values ($1, 'Errands') on conflict do nothing`,
      [list],
    );
    expect(lists.rowCount).toBe(1);
    expect((await as(bob, `insert into app_public.todos (id, title) values ($1, 'x')`, [todo])).rowCount).toBe(1);
    await as(bob, 'delete from app_public.todos where id = $1', [todo]);
    await as(bob, 'delete from app_public.lists where id = $1', [list]);
  });
});

test('nobody sees nothing and writes nothing', async () => {
  for (const nobody of ['', null, randomUUID()]) {
    for (const table of ['todos', 'lists', 'users'])
      expect((await as(nobody, `select from app_public.${table}`)).rowCount).toBe(0);
    await leavesAdaAlone(async () => {
      expect((await as(nobody, 'update app_public.todos set completed = true')).rowCount).toBe(0);
      expect((await as(nobody, 'delete from app_public.todos')).rowCount).toBe(0);
      expect(await sqlState(as(nobody, `insert into app_public.todos (title) values ('x')`))).toMatch(
        /^(42501|23503)$/,
      );
    });
  }
});

test('an id that is none is an error', async () => {
  for (const garbage of ['garbage', "' or true --", `${ada}, ${bob}`])
    expect(await leavesAdaAlone(() => sqlState(as(garbage, 'select from app_public.todos')))).toBe('22P02');
});

test('the bare authenticator reaches no table', async () => {
  for (const table of ['app_public.todos', 'app_public.lists', 'app_public.users'])
    expect(await sqlState(client.query(`select from ${table}`))).toBe('42501');
  for (const column of ['sessions.refresh_token_hash', 'credentials.password_hash'])
    expect(await sqlState(client.query(`select ${column} from app_private.${column.split('.')[0]}`))).toBe('42501');
});

test('sign-in reaches accounts and no tenant rows', async () => {
  const attempt = (text: string) => sqlState(as(ada, text, [], 'hedgerow_auth'));
  for (const table of ['todos', 'lists']) {
    expect(await attempt(`select from app_public.${table}`)).toBe('42501');
    expect(await attempt(`delete from app_public.${table}`)).toBe('42501');
  }
  expect(await attempt('select from app_public.users')).toBeUndefined();
});

test('a reused connection has neither role nor user', async () => {
  expect((await as(ada, 'select from app_public.todos')).rowCount).toBe(1);
  const { rows } = await client.query(
    `select current_user as role, current_setting('app.current_user_id', true) as user`,
  );
  expect(rows).toEqual([{ role: 'hedgerow_authenticator', user: '' }]);
  await client.query('begin');
  await client.query(`select set_config('role', 'hedgerow_tenant', true)`);
  expect((await client.query('select from app_public.todos')).rowCount).toBe(0);
  await client.query('commit');
});
