import { execFile } from 'node:child_process';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../common/root.ts';
import { describeSchema } from '../../dba/describe/describeSchema.ts';
import { withClient } from '../../postgres/withClient.ts';
import { type Checkout, copyCheckout } from '../support/checkout.ts';
import { createTestDatabase } from '../support/database.ts';

/** The files that docs/dba.md has one delete with the example. */
const fixtures = [
  'policies/app_public.lists.sql',
  'policies/app_public.todos.sql',
  'policies/app_public.projects.sql',
  'policies/app_public.tasks.sql',
  'functions/app_public.search_todos.sql',
  'functions/app_public.search_tasks.sql',
];

describe('a project without the example', () => {
  let checkout: Checkout;
  beforeAll(async () => {
    checkout = await copyCheckout();
  });
  afterAll(() => checkout.remove());

  const db = async (...args: string[]) => {
    const { code, output } = await checkout.run('dba/cli.ts', args);
    return { args, code, output };
  };
  const fine = (...args: string[]) => ({ args, code: 0, output: expect.anything() });

  test('commits the removal, and every verb is content', async () => {
    await copyFile(join(root, 'docs', 'remove-example.sql'), join(checkout.directory, 'current.sql'));
    for (const path of fixtures) await rm(join(checkout.directory, 'migrations', 'fixtures', path), { force: true });
    expect(await db('migrate')).toEqual(fine('migrate'));
    expect(await db('watch', '--once')).toEqual(fine('watch', '--once'));
    expect(await db('commit', '-m', 'remove')).toEqual(fine('commit', '-m', 'remove'));
    for (const verb of ['status', 'check-chain', 'lint', 'check']) expect(await db(verb)).toEqual(fine(verb));
    expect(await readFile(join(checkout.directory, 'migrations', 'snapshot.txt'), 'utf8')).not.toMatch(
      /todos|lists|tasks|projects/,
    );
  }, 180_000);

  test('starts, and prints a command that works', async () => {
    const server = checkout.start('dev/main.ts', [], { PORT: '0' });
    try {
      await server.line(/Hedgerow is ready/);
      await server.line(/data stays in/);
      const commands = /\n( {2}TOKEN=[\s\S]*?)\n\nStop/.exec(server.output())?.[1] as string;
      expect(commands).not.toContain('todos');
      const { stdout } = await promisify(execFile)('sh', ['-c', commands]);
      expect(JSON.parse(stdout)).toEqual({ data: { currentUser: { username: 'ada' } } });
    } finally {
      await server.stop();
    }
  }, 180_000);

  test('starts with an example that has other columns', async () => {
    await writeFile(
      join(checkout.directory, 'current.sql'),
      `drop table if exists app_public.todos, app_public.lists, app_public.tasks, app_public.projects;
create table app_public.lists (a int primary key);
create table app_public.todos (a int primary key);
`,
    );
    expect(await db('reset', '--yes')).toEqual(fine('reset', '--yes'));
    await db('watch', '--once');
    const server = checkout.start('dev/main.ts', [], { PORT: '0' });
    await server.line(/the demo tenant ada has no todos: column .*name.* does not exist/);
    await server.line(/Hedgerow is ready/);
    expect(await server.stop()).toBe(0);
  }, 180_000);
});

test('the example of the tests is the one of the migrations', async () => {
  const db = await createTestDatabase();
  try {
    await withClient(db.ownerUrl, async (client) => {
      const before = await describeSchema(client);
      await client.query(await readFile(join(root, 'test', 'support', 'example.sql'), 'utf8'));
      expect(await describeSchema(client)).toBe(before);
    });
  } finally {
    await db.drop();
  }
});
