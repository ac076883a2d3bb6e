import { Cancellation, CancelledError } from '../../postgres/cancellation.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import { type Database, IdentityRefusedError } from '../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { connectionState, createAccount, insertTodo, sqlState, todoTitles } from '../support/sql.ts';

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

test('of statements asked for together, one that fails takes no other with it', async () => {
  const client = database.as(ada);
  const results = await Promise.allSettled([
    client.query(insertTodo('first')),
    client.query({ text: 'select 1 / 0' }),
    client.query(insertTodo('last')),
    client.query({ text: 'select nonsense' }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  expect(await todoTitles(db)).toEqual(['first', 'last']);
});

test('statements asked for together by two tenants do not meet', async () => {
  const [forAda, forBob] = [database.as(ada), database.as(bob)];
  const who = { name: 'who', text: 'select app_public.current_user_id() as id' };
  const answers = await Promise.all([forAda.query(who), forBob.query(who), forAda.query(who), forBob.query(who)]);
  expect(answers.map(({ rows }) => rows)).toEqual([ids.ada, ids.bob, ids.ada, ids.bob].map((id) => [{ id }]));
});

const asleep =
  "select pid from pg_stat_activity where query like '%pg_sleep(20)%' and state = 'active' and pid <> pg_backend_pid()";

async function sleeper(): Promise<number> {
  for (;;) {
    const [found] = await db.asAdmin<{ pid: number }>(`${asleep} and datname = current_database()`);
    if (found) return found.pid;
  }
}

test('a backend that is killed under a statement is an error, and the next statement works', async () => {
  const attempt = database.as(ada).transaction(async ({ query }) => {
    await query(insertTodo('killed'));
    await query({ text: 'select pg_sleep(20)' });
  });
  const failed = expect(attempt).rejects.toThrow();
  await db.asAdmin('select pg_terminate_backend($1)', [await sleeper()]);
  await failed;
  expect(await todoTitles(db)).toEqual([]);
  expect((await database.as(bob).query({ text: 'select from app_public.users' })).rowCount).toBe(1);
});

test('work that is given up is undone, and its connection is nobody else’s', async () => {
  const cancellation = new Cancellation();
  const connection = (await connectionState(database)).pid;
  const attempt = database.as(ada, { cancellation }).transaction(async ({ query }) => {
    await query(insertTodo('given up'));
    await query({ text: 'select pg_sleep(20)' });
  });
  const failed = expect(attempt).rejects.toThrow(CancelledError);
  await sleeper();
  cancellation.cancel('client gone');
  await failed;
  expect((await database.as(bob).query({ text: 'select from app_public.todos' })).rowCount).toBe(0);
  expect((await connectionState(database)).pid).not.toBe(connection);
  while ((await db.asAdmin('select from pg_stat_activity where pid = $1', [connection])).length > 0);
  expect(await todoTitles(db)).toEqual([]);
});

test('two hundred interleaved pieces of work of two tenants never mix', async () => {
  // The time that requests may wait is not what this is about.
  const two = openConnections(db, { size: 2, timeout: 25 });
  const own = { name: 'own', text: 'select user_id as id, title from app_public.todos' };
  const once = async (n: number) => {
    const [name, identity] = n % 2 ? (['ada', ada] as const) : (['bob', bob] as const);
    const client = two.as(identity);
    const check = ({ rows }: { rows: { id: string }[] }) => rows.every(({ id }) => id === ids[name]) && rows.length > 0;
    await client.query(insertTodo(`${name} ${n}`));
    const [alone, inside] = await Promise.all([
      client.query<{ id: string }>(own),
      client.transaction(({ query }) => query<{ id: string }>(own)),
      n % 5 === 0 && sqlState(client.query({ text: 'select 1 / 0' })),
      n % 7 === 0 &&
        two
          .as(gone)
          .query(own)
          .catch((error) => expect(error).toBeInstanceOf(IdentityRefusedError)),
      n % 11 === 0 && client.transaction(() => Promise.reject(new Error('no'))).catch(() => {}),
    ]);
    return check(alone) && check(inside);
  };
  const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => once(n)));
  expect(answers).toEqual(Array.from({ length: 200 }, () => true));
  expect(
    await db.asAdmin(
      'select user_id, split_part(title, $1, 1) as name, count(*)::int from app_public.todos group by 1, 2 order by 2',
      [' '],
    ),
  ).toEqual([
    { user_id: ids.ada, name: 'ada', count: 100 },
    { user_id: ids.bob, name: 'bob', count: 100 },
  ]);
  await two.close();
});
