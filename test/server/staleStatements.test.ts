import { connectionFault } from '../../postgres/connectionErrors.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import { type Database, IdentityRefusedError } from '../../server/tenancy/tenantDatabase.ts';
import { openConnections } from '../support/openDatabase.ts';
import { requestTo } from '../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';
import { createAccount, insertTodo } from '../support/sql.ts';

// Effect of migrations on prepared statements, mostly in explicit transactions.
let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer({ poolSize: 3 });
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

const codes = ({ body }: { body: { errors?: { extensions: { code: string } }[] } }) =>
  body.errors?.map(({ extensions }) => extensions.code) ?? [];

let length = 60;
const changeUsers = () => server.db.asAdmin(`alter table app_public.users alter username type varchar(${++length})`);

test('after a column has another type, a refresh on each connection succeeds', async () => {
  let { refreshToken } = ada;
  const refresh = async () => {
    const { body } = await requestTo(server.app).post('/auth/refresh').send({ refreshToken }).expect(200);
    return body.refreshToken as string;
  };
  for (let n = 0; n < 3; n++) refreshToken = await refresh();
  for (let change = 0; change < 3; change++) {
    await changeUsers();
    // At the same time, so that every connection has one; a parallel refresh gets the same answer.
    const answers = await Promise.all(Array.from({ length: 6 }, refresh));
    expect(new Set(answers).size).toBe(1);
    refreshToken = answers[0] as string;
  }
});

const twoFields = `mutation { a: createTodo(input: {todo: {title: "a"}}) { todo { rowId } query { currentUser { username } } }
  b: createTodo(input: {todo: {title: "b"}}) { todo { rowId title } query { currentUser { username } } } }`;

test('after a column has another type, mutations of several fields succeed or are told to try again', async () => {
  for (let n = 0; n < 3; n++) expect(codes(await ada.graphql(twoFields))).toEqual([]);
  await changeUsers();
  const answers = await Promise.all(Array.from({ length: 30 }, () => ada.graphql(twoFields)));
  const unavailable = answers.filter((answer) => codes(answer).includes('UNAVAILABLE'));
  for (const answer of answers) expect(codes(answer)).not.toContain('INTERNAL');
  for (const { status, headers } of unavailable) {
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('1');
  }
  // One migration is noticed once and not once on each connection for each statement: only what ran just then is affected.
  expect(unavailable.length).toBeLessThanOrEqual(3);
  for (let n = 0; n < 10; n++) expect(codes(await ada.graphql(twoFields))).toEqual([]);
});

test.each([
  [
    'a bulk mutation',
    'mutation { createTodos(input: {todos: [{title: "a"}, {title: "b"}]}) { todos { title dueDate } } }',
  ],
  ['a mutation with a payload', 'mutation { createTodo(input: {todo: {title: "a"}}) { todo { title dueDate } } }'],
  ['a query', '{ todos { nodes { title dueDate } } }'],
])('%s succeeds on every connection after a column was dropped and added with another type', async (_, document) => {
  const key = () => crypto.randomUUID();
  const all = (size: number) =>
    Promise.all(Array.from({ length: size }, () => ada.graphql(document).set('Idempotency-Key', key())));
  for (const answer of await all(6)) expect(codes(answer)).toEqual([]);
  await server.db.asAdmin(`alter table app_public.todos drop due_date;
    alter table app_public.todos add due_date date;
    grant insert (due_date), update (due_date) on app_public.todos to hedgerow_tenant`);
  for (const answer of await all(6)) expect(codes(answer)).toEqual([]);
});

test('an export succeeds after columns have changed', async () => {
  const get = () => requestTo(server.app).get('/auth/export').set('Authorization', `Bearer ${ada.token}`).expect(200);
  await get();
  await server.db.asAdmin('alter table app_public.lists add note int');
  expect((await get()).body.tables.lists).toBeDefined();
  await server.db.asAdmin('alter table app_public.lists drop note');
  await get();
});

describe('on one connection', () => {
  let database: Database;
  let identity: Identity;
  beforeAll(async () => {
    const { id, sessionId } = await createAccount(server.db, 'bob');
    identity = Identity.tenant(id, sessionId);
    await server.db.asAdmin('create table app_public.typed (value int)');
    await server.db.asAdmin('grant select on app_public.typed to hedgerow_tenant');
  });
  beforeEach(() => {
    database = openConnections(server.db);
  });
  afterEach(() => database.close());

  const typed = { name: 'typed', text: 'select value from app_public.typed' };
  const one = { name: 'one', text: 'select 1 as one' };
  let types = 0;
  const change = () =>
    server.db.asAdmin(`alter table app_public.typed alter value type ${['int', 'bigint'][++types % 2]}`);

  test('a stale first statement begins its transaction again', async () => {
    const run = () => database.as(identity).transaction(({ query }) => query(typed));
    await run();
    await change();
    expect((await run()).rows).toEqual([]);
  });

  test('statements without rows are replayed, and take effect once', async () => {
    const run = (title: string) =>
      database.as(identity).transaction(async ({ query }) => {
        await query(insertTodo(title));
        return query(typed);
      });
    await run('before');
    await change();
    await run('once');
    expect(await server.db.asAdmin(`select from app_public.todos where title = 'once'`)).toHaveLength(1);
  });

  test('after an answer with rows, a stale statement fails the transaction as unavailable without any effect', async () => {
    const run = (title: string, swallow: boolean) =>
      database.as(identity).transaction(async ({ query }) => {
        await query(insertTodo(title));
        await query(one);
        const last = query(typed);
        await (swallow ? last.catch(() => {}) : last);
      });
    await run('before', false);
    for (const swallow of [false, true]) {
      await change();
      const error = await run('undone', swallow).catch((reason: unknown) => reason);
      if (!swallow) expect(connectionFault(error)?.cause).toBe('schema changed');
      expect(error).toBeInstanceOf(Error);
      await run('after', false);
    }
    expect(await server.db.asAdmin(`select from app_public.todos where title = 'undone'`)).toEqual([]);
  });

  test('a deallocated statement is prepared again, within a transaction too', async () => {
    const run = () =>
      database.as(identity).transaction(async ({ query }) => {
        await query(one);
        return query(typed);
      });
    await run();
    await database.inspect({ text: 'deallocate all' });
    await run();
  });

  test('concurrent statements run as the identity, even if the first one fails', async () => {
    const user = { text: 'select current_user as role' };
    const circular: Record<string, unknown> = {};
    circular.circular = circular;
    const answers = await database
      .as(identity)
      .transaction(async ({ query }) => {
        const unsendable = query({ text: 'select $1::json', values: [circular] });
        return Promise.allSettled([unsendable, query(user)]);
      })
      .catch((error: Error) => error.message);
    expect(answers).toMatch(/circular/);
    const gone = Identity.tenant(ada.id, '00000000-0000-4000-8000-000000000000');
    const refused = database.as(gone).transaction(({ query }) => Promise.all([query(user), query(user)]));
    await expect(refused).rejects.toThrow(IdentityRefusedError);
  });

  test('a name that another client has prepared on the session switches prepared statements off', async () => {
    const written: object[] = [];
    const log = { warn: (line: object) => written.push(line), child: () => log };
    const shared = openConnections(server.db, { preparedStatements: true }, log as never);
    await shared.as(identity).query(one);
    await shared.inspect({ text: 'prepare foreign_name as select 2 as two' });
    const mine = { name: 'foreign_name', text: 'select 1 as one' };
    expect((await shared.as(identity).query(mine)).rows).toEqual([{ one: 1 }]);
    expect((await shared.as(identity).transaction(({ query }) => query(mine))).rows).toEqual([{ one: 1 }]);
    expect(written).toEqual([{ advice: expect.stringContaining('max_prepared_statements') }]);
    await shared.close();
  });
});
