import { Identity } from '../../server/tenancy/identity.ts';
import { type Database, IdentityRefusedError } from '../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { connectionState, createAccount, insertTodo, sqlState } from '../support/sql.ts';

let db: TestDatabase;
let database: Database;
let ada: Identity;
let bob: Identity;
let gone: Identity;
const ids: Record<string, string> = {};

beforeAll(async () => {
  db = await createTestDatabase();
  [ada, bob, gone] = (await Promise.all(
    ['ada', 'bob', 'gone'].map(async (name) => {
      const { id, sessionId } = await createAccount(db, name);
      ids[name] = id;
      return Identity.tenant(id, sessionId);
    }),
  )) as [Identity, Identity, Identity];
  await db.asAdmin('delete from app_public.users where id = $1', [ids.gone]);
});
beforeEach(() => {
  database = openConnections(db);
});
afterEach(async () => {
  await database.close();
  await db.asAdmin('delete from app_public.todos');
});
afterAll(() => db.drop());

test('a named statement that could not be parsed works once it can be', async () => {
  const connection = (await connectionState(database)).pid;
  const statement = { name: 'later', text: 'select late from app_public.later' };
  expect(await sqlState(database.as(ada).query(statement))).toBe('42P01');
  await db.asAdmin('create table app_public.later as select true as late');
  await db.asAdmin('grant select on app_public.later to hedgerow_tenant');
  for (const _time of ['first', 'second'])
    expect((await database.as(ada).query(statement)).rows).toEqual([{ late: true }]);
  await db.asAdmin('drop table app_public.later');
  expect(await sqlState(database.as(ada).query(statement))).toBe('42P01');
  expect((await connectionState(database)).pid).toBe(connection);
});

test('a name whose first statement was refused its identity is good afterwards', async () => {
  const connection = (await connectionState(database)).pid;
  const statement = { name: 'whoami', text: 'select app_public.current_user_id() as id' };
  await expect(database.as(gone).query(statement)).rejects.toThrow(IdentityRefusedError);
  for (const _time of ['first', 'second'])
    expect((await database.as(ada).query(statement)).rows).toEqual([{ id: ids.ada }]);
  await expect(database.as(gone).query(statement)).rejects.toThrow(IdentityRefusedError);
  expect((await database.as(bob).query(statement)).rows).toEqual([{ id: ids.bob }]);
  expect((await connectionState(database)).pid).toBe(connection);
});

test('a name whose statement failed while it ran is good afterwards', async () => {
  const divide = (by: number) => ({ name: 'divide', text: 'select 6 / $1::int as result', values: [by] });
  expect(await sqlState(database.as(ada).query(divide(0)))).toBe('22012');
  expect((await database.as(ada).query(divide(3))).rows).toEqual([{ result: 2 }]);
  expect(await sqlState(database.as(ada).query(divide(0)))).toBe('22012');
  expect((await database.as(bob).query(divide(2))).rows).toEqual([{ result: 3 }]);
});

test('rows are read as what they are, again and again, and after their type has changed', async () => {
  await db.asAdmin('create table app_public.typed as select 1 as value, 2 as other');
  await db.asAdmin('grant select on app_public.typed to hedgerow_tenant');
  const statement = { name: 'typed', text: 'select * from app_public.typed' };
  const read = async () => (await database.as(ada).query(statement)).rows;
  for (const _time of ['described', 'remembered']) expect(await read()).toEqual([{ value: 1, other: 2 }]);
  await db.asAdmin('alter table app_public.typed alter value type text, drop other');
  // Postgres refuses the old plan once, on each connection that has it.
  expect(await Promise.all([read(), read()])).toEqual([[{ value: '1' }], [{ value: '1' }]]);
  for (const _time of ['described', 'remembered']) expect(await read()).toEqual([{ value: '1' }]);
  await db.asAdmin('drop table app_public.typed');
});

test('an error takes nothing from what is prepared, and what somebody has deallocated is prepared again', async () => {
  const divide = (by: number) => ({ name: 'divided', text: 'select 6 / $1::int as result', values: [by] });
  const preparedAt = async () =>
    (await database.inspect({ text: `select prepare_time from pg_prepared_statements where name = 'divided'` })).rows;
  await database.as(ada).query(divide(1));
  const before = await preparedAt();
  expect(await sqlState(database.as(ada).query(divide(0)))).toBe('22012');
  expect((await database.as(ada).query(divide(2))).rows).toEqual([{ result: 3 }]);
  expect(await preparedAt()).toEqual(before);
  await database.inspect({ text: 'deallocate all' });
  expect((await database.as(ada).query(divide(3))).rows).toEqual([{ result: 2 }]);
});

test('a plan that was made for one tenant shows another only their own rows', async () => {
  const statement = { name: 'mine', text: 'select title from app_public.todos' };
  await database.as(ada).query(insertTodo("ada's"));
  await database.as(bob).query(insertTodo("bob's"));
  for (let n = 0; n < 12; n++) {
    expect((await database.as(ada).query(statement)).rows).toEqual([{ title: "ada's" }]);
    expect((await database.as(bob).query(statement)).rows).toEqual([{ title: "bob's" }]);
  }
});

test('a value that cannot be sent is an error, and the connection goes on', async () => {
  const values = [
    {
      toPostgres: () => {
        throw new Error('no such value');
      },
    },
  ];
  await expect(database.as(ada).query({ name: 'value', text: 'select $1', values })).rejects.toThrow('no such value');
  expect((await database.as(ada).query({ name: 'value', text: 'select $1', values: ['x'] })).rowCount).toBe(1);
});

test('the operation that asks first is in the text that Postgres has, and it takes no statement more', async () => {
  const prepared = {
    name: 'shared',
    text: 'select statement from pg_prepared_statements where name = $1',
    values: ['shared'],
  };
  const texts = async (operation: string | undefined) =>
    (await database.as(ada, { operation }).query<{ statement: string }>(prepared)).rows.map((row) => row.statement);
  for (const operation of ['Overview', 'Other', undefined])
    expect(await texts(operation)).toEqual([prepared.text.replace('select', 'select /* operation Overview */')]);
});

test.each(['*/ select 1 /*', 'a b', 'x'.repeat(61), ''])(
  'nothing but a name is put into a comment: %j',
  async (operation) => {
    const text = 'select current_query() as query';
    const asked = database.as(ada, { operation });
    const seen = await asked.transaction(async ({ query }) => (await query<{ query: string }>({ text })).rows);
    expect(seen).toEqual([{ query: text }]);
  },
);

test('inside of a transaction, too, and not for what begins and ends it', async () => {
  const text = 'select current_query() as query';
  const asked = database.as(ada, { operation: 'Overview' });
  const seen = await asked.transaction(async ({ query }) => (await query<{ query: string }>({ text })).rows);
  expect(seen).toEqual([{ query: 'select /* operation Overview */ current_query() as query' }]);
});
