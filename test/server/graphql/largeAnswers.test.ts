import { once } from 'node:events';
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { byteLimits } from '../../../server/graphql/complexity/complexity.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let ada: Tenant;
let bob: Tenant;
beforeAll(async () => {
  server = await startTestServer({ requestTimeout: 60 });
  [ada, bob] = await Promise.all([signUp(server.app, 'ada'), signUp(server.app, 'bob')]);
  // 1,000 todos of 10 kB: ada may read all of them, but not twice.
  await server.db.asAdmin(
    `insert into app_public.todos (user_id, title, description)
      select $1, 'todo ' || n, repeat('x', 9999) from generate_series(1, 1000) n`,
    [ada.id],
  );
  await bob.graphql('mutation { createTodo(input: {todo: {title: "mine"}}) { todo { rowId } } }');
});
afterAll(() => server.close());

const aliases = (count: number) => Array.from({ length: count }, (_, i) => `a${i}: description`).join(' ');
const each = (errors: object[], message: string) => {
  expect(errors.length).toBeGreaterThan(0);
  for (const error of errors) expect(error).toMatchObject({ message, extensions: { code: 'TOO_COMPLEX' } });
};
const refused = (message: string) => [{ message, extensions: { code: 'TOO_COMPLEX' } }];

test('an answer of ten megabytes is sent whole', async () => {
  const { body } = await ada.graphql('{ todos(first: 1000) { nodes { title description } } }');
  expect(body.errors).toBeUndefined();
  expect(body.data.todos.nodes).toHaveLength(1000);
  expect(body.data.todos.nodes.every(({ description }: { description: string }) => description.length === 9999)).toBe(
    true,
  );
});

test('an answer beyond the limit is refused, however little is read for it', async () => {
  const { body } = await ada.graphql(`{ todos(first: 100) { nodes { ${aliases(28)} } } }`);
  expect(body).toEqual({ errors: refused(`the answer has more than ${byteLimits.answer} bytes`) });
});

test('a query that reads beyond the limit is refused', async () => {
  const message = `the request reads more than ${byteLimits.read} bytes`;
  const { body } = await ada.graphql(
    '{ todos(first: 1000) { nodes { description } } more: todos(first: 999) { nodes { description } } }',
  );
  each(body.errors, message);
  // In one value of one row, which is there as a whole or not at all.
  await server.db.asAdmin('insert into app_public.lists (user_id, name) values ($1, $2)', [ada.id, 'all']);
  await server.db.asAdmin(
    'update app_public.todos set list_id = (select id from app_public.lists) where user_id = $1',
    [ada.id],
  );
  const nested = await ada.graphql(
    '{ lists(first: 1) { nodes { todos(first: 5) { nodes { list { todos(first: 1000) { nodes { description } } } } } } } }',
  );
  each(nested.body.errors, message);
  expect((await ada.graphql('{ todos(first: 1) { totalCount } }')).body.data.todos.totalCount).toBe(1000);
});

test('a mutation whose answer is refused has not happened', async () => {
  const created = '{ createTodo(input: {todo: {title: "never"}}) { todo { rowId } query { ';
  const tooMuchRead = await ada.graphql(
    `mutation ${created} todos(first: 1000) { nodes { description } } more: todos(first: 999) { nodes { description } } } } }`,
  );
  expect(tooMuchRead.body).toMatchObject({
    data: { createTodo: null },
    errors: refused(`the request reads more than ${byteLimits.read} bytes`),
  });
  const tooLong = await ada.graphql(`mutation ${created} todos(first: 100) { nodes { ${aliases(28)} } } } } }`);
  expect(tooLong.body).toEqual({
    data: { createTodo: null },
    errors: refused(`the answer has more than ${byteLimits.answer} bytes`),
  });
  const count = await ada.graphql('{ todos(filter: {title: {equalTo: "never"}}) { totalCount } }');
  expect(count.body.data.todos.totalCount).toBe(0);
});

test('clients that do not read large answers neither keep them beyond the deadline nor keep others waiting', async () => {
  const slow = await startTestServer({ requestTimeout: 3 });
  try {
    const carol = await signUp(slow.app, 'carol');
    const dave = await signUp(slow.app, 'dave');
    await slow.db.asAdmin(
      `insert into app_public.todos (user_id, title, description)
        select $1, 'todo ' || n, repeat('x', 9999) from generate_series(1, 1000) n`,
      [carol.id],
    );
    const { port } = new URL(await slow.listen());
    const body = JSON.stringify({ query: '{ todos(first: 1000) { nodes { description } } }' });
    const clients = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
        await once(socket, 'connect');
        socket.pause();
        socket.write(
          `POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${carol.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        return socket;
      }),
    );
    const start = performance.now();
    const { body: answer } = await dave.graphql('{ todos { totalCount } }');
    expect(answer.data.todos.totalCount).toBe(0);
    const ended = clients.map(async (socket) => {
      // Past the deadline what was sent by then is taken, and the rest never comes.
      await new Promise((resolve) => setTimeout(resolve, 5000));
      let received = 0;
      socket.on('data', ({ length }) => {
        received += length;
      });
      socket.resume();
      if (!socket.closed) await once(socket, 'close');
      return received;
    });
    for (const received of await Promise.all(ended)) expect(received).toBeLessThan(10_000_000);
    expect(performance.now() - start).toBeLessThan(25_000);
  } finally {
    await slow.close();
  }
}, 60_000);
