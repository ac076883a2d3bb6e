import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkout, copyCheckout } from '../support/checkout.ts';
import { requestTo } from '../support/requestTo.ts';
import type { Running } from '../support/running.ts';

let checkout: Checkout;
const running: Running[] = [];
beforeAll(async () => {
  checkout = await copyCheckout();
});
afterAll(async () => {
  // The one that was started first started Postgres, too.
  for (const { stop } of running.reverse()) await stop();
  await checkout.remove();
});

function start(file: string, args: readonly string[], env?: NodeJS.ProcessEnv): Running {
  const started = checkout.start(file, args, env);
  running.push(started);
  return started;
}

test('a table that a DBA saves while `db watch` runs is in the API of a server that runs, without a line of TypeScript', async () => {
  const server = start('dev/main.ts', [], { PORT: '0' });
  const listening = JSON.parse(await server.line(/"url":/));
  const post = async (path: string, body: object, token = '') =>
    (await requestTo(listening.url).post(path).auth(token, { type: 'bearer' }).send(body)).body;
  const signIn = async (name: string) =>
    (await post('/auth/login', { email: `${name}@example.com`, password: `${name}-demo-password` })).accessToken;
  await server.line(/Hedgerow is ready/);
  const [ada, bob] = [await signIn('ada'), await signIn('bob')];
  const graphql = (token: string, query: string) => post('/graphql', { query }, token);
  expect((await graphql(ada, '{ tags { totalCount } }')).errors[0].message).toMatch(/Cannot query field "tags"/);

  start('dba/cli.ts', ['watch']);
  await server.line(/the schema changed: the API was built again/);
  const [, sql] = /```sql\n(.*?)```/s.exec(await readFile('docs/dba.md', 'utf8')) as RegExpExecArray;
  await writeFile(join(checkout.directory, 'current.sql'), sql as string);
  await server.line(/the schema changed: the API was built again/);

  const create = 'mutation { createTag(input: {tag: {name: "urgent"}}) { tag { rowId name } } }';
  const { data } = await graphql(ada, create);
  expect(data.createTag.tag.name).toBe('urgent');
  const { rowId } = data.createTag.tag;
  const update = `mutation { updateTag(input: {rowId: "${rowId}", patch: {name: "soon"}}) { tag { name } } }`;
  const remove = `mutation { deleteTag(input: {rowId: "${rowId}"}) { tag { name } } }`;
  for (const mutation of [update, remove])
    expect((await graphql(bob, mutation)).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  expect((await graphql(bob, `{ tags { totalCount } tag(rowId: "${rowId}") { name } }`)).data).toEqual({
    tags: { totalCount: 0 },
    tag: null,
  });
  expect((await graphql(ada, update)).data.updateTag.tag.name).toBe('soon');
  expect((await graphql(ada, remove)).data.deleteTag.tag.name).toBe('soon');
  expect((await graphql(ada, '{ tags { totalCount } }')).data.tags.totalCount).toBe(0);

  // Two names that are one in the API: it cannot be built, and the one before goes on.
  await writeFile(
    join(checkout.directory, 'current.sql'),
    `${sql}\ncomment on table app_public.tags is E'@name todo';\n`,
  );
  await server.line(/no API can be built from it/);
  expect((await graphql(ada, '{ tags { totalCount } }')).data.tags.totalCount).toBe(0);
}, 120_000);
