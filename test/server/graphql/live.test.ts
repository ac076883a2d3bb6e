import { setTimeout as sleep } from 'node:timers/promises';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { begin, listChanged, openSocket, type Socket, subscribed, todoChanged } from '../../support/socket.ts';

let server: TestServer;
let url: string;
let ada: Tenant;
let bob: Tenant;
const open: Socket[] = [];

beforeAll(async () => {
  server = await startTestServer();
  url = await server.listen();
  [ada, bob] = [await signUp(server.app, 'ada'), await signUp(server.app, 'bob')];
});
afterEach(async () => {
  for (const socket of open.splice(0)) {
    socket.raw.terminate();
    await socket.closed;
  }
});
afterAll(() => server.close());

async function subscribe({ token }: Tenant, ...documents: string[]): Promise<Socket> {
  const socket = await subscribed(url, token, ...documents);
  open.push(socket);
  return socket;
}

async function create({ graphql }: Tenant, title: string): Promise<string> {
  const document = 'mutation ($title: String!) { createTodo(input: {todo: {title: $title}}) { todo { rowId } } }';
  return (await graphql(document, { title })).body.data.createTodo.todo.rowId;
}

test('a subscriber sees each of their changes with the row', async () => {
  const socket = await subscribe(ada, todoChanged);
  const rowId = await create(ada, 'new');
  expect(await socket.event()).toEqual({ event: 'INSERT', rowId, todo: { title: 'new' } });
  await ada.graphql(`mutation { updateTodo(input: {rowId: "${rowId}", patch: {title: "old"}}) { todo { title } } }`);
  expect(await socket.event()).toEqual({ event: 'UPDATE', rowId, todo: { title: 'old' } });
  await ada.graphql(`mutation { deleteTodo(input: {rowId: "${rowId}"}) { todo { title } } }`);
  expect(await socket.event()).toEqual({ event: 'DELETE', rowId, todo: null });
});

test('a key that is no UUID by the book is one of a row all the same', async () => {
  const socket = await subscribe(ada, todoChanged);
  const rowId = '00000000-0000-0000-0000-000000000001';
  await ada.graphql(`mutation { createTodo(input: {todo: {rowId: "${rowId}", title: "one"}}) { todo { title } } }`);
  expect(await socket.event()).toEqual({ event: 'INSERT', rowId, todo: { title: 'one' } });
});

test('lists have events of their own, and related rows come with an event', async () => {
  const related = 'subscription { todoChanged { event todo { title list { name todos { totalCount } } } } }';
  const [lists, todos] = [await subscribe(ada, listChanged), await subscribe(ada, related)];
  const { body } = await ada.graphql('mutation { createList(input: {list: {name: "Garden"}}) { list { rowId } } }');
  const { rowId } = body.data.createList.list;
  expect(await lists.event()).toEqual({ event: 'INSERT', rowId, list: { name: 'Garden' } });
  await ada.graphql(`mutation { createTodo(input: {todo: {title: "dig", listId: "${rowId}"}}) { todo { title } } }`);
  const todo = (name: string | null) => ({ title: 'dig', list: name && { name, todos: { totalCount: 1 } } });
  expect(await todos.event()).toEqual({ event: 'INSERT', todo: todo('Garden') });
  await ada.graphql(`mutation { deleteList(input: {rowId: "${rowId}"}) { list { name } } }`);
  expect(await lists.event()).toEqual({ event: 'DELETE', rowId, list: null });
  // The cascade has changed it.
  expect(await todos.event()).toEqual({ event: 'UPDATE', todo: todo(null) });
});

test('of a statement with several rows each is an event, and of one with too many a single RESYNC', async () => {
  const socket = await subscribe(ada, todoChanged);
  const insert = (count: number) =>
    server.db.asAdmin(
      "insert into app_public.todos (user_id, title) select $1, 'bulk ' || n from generate_series(1, $2::int) n",
      [ada.id, count],
    );
  await insert(3);
  const titles = [];
  for (let n = 0; n < 3; n++) titles.push(((await socket.event()) as { todo: { title: string } }).todo.title);
  expect(titles.sort()).toEqual(['bulk 1', 'bulk 2', 'bulk 3']);
  await insert(101);
  expect(await socket.event()).toEqual({ event: 'RESYNC', rowId: null, todo: null });
  const rowId = await create(ada, 'after');
  expect(await socket.event()).toEqual({ event: 'INSERT', rowId, todo: { title: 'after' } });
  expect(socket.heard.at(-1)).toMatchObject({ type: 'next' });
});

test("another tenant's changes are not even a heartbeat", async () => {
  const [mine, theirs] = [await subscribe(ada, todoChanged), await subscribe(bob, todoChanged, listChanged)];
  const before = theirs.heard.length;
  const transactions = server.database.counts.transactions.committed;
  for (let n = 0; n < 100; n++) {
    await server.db.asAdmin('insert into app_public.todos (user_id, title) values ($1, $2)', [ada.id, `x${n}`]);
    await server.db.asAdmin('update app_public.todos set completed = not completed where user_id = $1', [ada.id]);
  }
  await server.db.asAdmin('delete from app_public.todos where user_id = $1', [ada.id]);
  await server.db.asAdmin('delete from app_public.lists where user_id = $1', [ada.id]);
  // All earlier notifications have been handled. A burst can become one RESYNC that includes this event.
  let last = await create(ada, 'last');
  for (let told: unknown; told !== last; ) {
    const { event, rowId } = (await mine.event()) as { event: string; rowId: string | null };
    told = rowId;
    if (event === 'RESYNC') last = await create(ada, 'last');
  }
  expect(server.database.counts.transactions.committed).toBeGreaterThan(transactions);
  expect(theirs.heard.length).toBe(before);
  const rowId = await create(bob, 'hers');
  expect(await theirs.event()).toEqual({ event: 'INSERT', rowId, todo: { title: 'hers' } });
  expect(theirs.heard.length).toBe(before + 1);
});

test('nothing is read for a tenant whose rows did not change', async () => {
  await subscribe(bob, todoChanged);
  const { committed } = server.database.counts.transactions;
  const control = await subscribe(ada, todoChanged);
  const opened = server.database.counts.transactions.committed - committed;
  await server.db.asAdmin("insert into app_public.todos (user_id, title) values ($1, 'one')", [ada.id]);
  await control.event();
  await sleep(50);
  expect(server.database.counts.transactions.committed).toBe(committed + opened + 1);
});

test('a row that was given away is gone for whom it has left, and new to nobody else', async () => {
  const [mine, theirs] = [await subscribe(ada, todoChanged), await subscribe(bob, todoChanged)];
  const rowId = await create(ada, 'gift');
  await mine.event();
  await server.db.asAdmin('update app_public.todos set user_id = $1 where id = $2', [bob.id, rowId]);
  expect(await mine.event()).toEqual({ event: 'DELETE', rowId, todo: null });
  expect(await theirs.event()).toEqual({ event: 'UPDATE', rowId, todo: { title: 'gift' } });
});

test('a row that may not be seen when its event leaves is a DELETE, even where no row is asked for', async () => {
  const socket = await subscribe(ada, 'subscription { todoChanged { event rowId } }');
  await server.db.asAdmin('alter policy select_own on app_public.todos using (completed)');
  try {
    const values = [ada.id];
    await server.db.asAdmin("insert into app_public.todos (user_id, title) values ($1, 'hidden')", values);
    expect(await socket.event()).toMatchObject({ event: 'DELETE' });
    await server.db.asAdmin("insert into app_public.todos (user_id, title, completed) values ($1, 'y', true)", values);
    expect(await socket.event()).toMatchObject({ event: 'INSERT' });
  } finally {
    await server.db.asAdmin(
      'alter policy select_own on app_public.todos using (user_id = (select app_public.current_user_id()))',
    );
  }
});

test('an event whose row cannot be read is an error, and a RESYNC follows it', async () => {
  const socket = await subscribe(ada, todoChanged);
  await server.db.asAdmin('alter policy select_own on app_public.todos using (1 / priority > 0)');
  const own = 'user_id = (select app_public.current_user_id())';
  try {
    await server.db.asAdmin("insert into app_public.todos (user_id, title) values ($1, 'unreadable')", [ada.id]);
    const { payload } = await socket.next();
    expect(payload).toMatchObject({
      data: { todoChanged: null },
      errors: [{ extensions: { code: 'INTERNAL' } }],
    });
  } finally {
    await server.db.asAdmin(`alter policy select_own on app_public.todos using (${own})`);
  }
  expect(await socket.event()).toEqual({ event: 'RESYNC', rowId: null, todo: null });
  const rowId = await create(ada, 'readable');
  expect(await socket.event()).toEqual({ event: 'INSERT', rowId, todo: { title: 'readable' } });
});

test('a rolled back change sends no event', async () => {
  const socket = await subscribe(ada, todoChanged);
  await server.db.asAdmin(`do $$ begin
    begin insert into app_public.todos (user_id, title) values ('${ada.id}', 'never'); raise division_by_zero;
    exception when division_by_zero then null; end; end $$`);
  const rowId = await create(ada, 'real');
  expect(await socket.event()).toMatchObject({ event: 'INSERT', rowId });
});

test('a subscription that was completed sends nothing more, and its neighbor goes on', async () => {
  const socket = await openSocket(url, ada.token);
  open.push(socket);
  const [todos] = [await begin(socket, todoChanged), await begin(socket, listChanged)];
  socket.send({ id: todos, type: 'complete' });
  socket.subscribe('barrier', '{ __typename }');
  while ((await socket.next()).id !== 'barrier');
  await create(ada, 'unheard');
  await ada.graphql('mutation { createList(input: {list: {name: "Heard"}}) { list { name } } }');
  expect(await socket.event()).toMatchObject({ event: 'INSERT', list: { name: 'Heard' } });
});

test('the connection that listens comes back after it was killed, tells of the gap, and events go on', async () => {
  const socket = await subscribe(ada, todoChanged);
  const killed = await server.db.asAdmin<{ killed: boolean }>(
    `select pg_terminate_backend(pid) as killed from pg_stat_activity
      where application_name = 'hedgerow listener' and datname = current_database()`,
  );
  expect(killed).toEqual([{ killed: true }]);
  expect(await socket.event()).toEqual({ event: 'RESYNC', rowId: null, todo: null });
  const rowId = await create(ada, 'again');
  expect(await socket.event()).toEqual({ event: 'INSERT', rowId, todo: { title: 'again' } });
});

test('the server holds no listener lock while no socket is connected', async () => {
  const listeners = async () =>
    (
      await server.db.asAdmin(
        `select from pg_stat_activity where application_name = 'hedgerow listener' and datname = current_database()`,
      )
    ).length;
  while ((await listeners()) > 0) await sleep(20);
  const socket = await subscribe(ada, todoChanged);
  expect(await listeners()).toBe(1);
  socket.raw.terminate();
  while ((await listeners()) > 0) await sleep(20);
});
