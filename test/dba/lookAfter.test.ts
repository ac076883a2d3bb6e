import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { inDatabase } from '../../postgres/target/scratch.ts';
import { type EmbeddedTarget, openEmbedded } from '../../postgres/target/target.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import { TenantDatabase } from '../../server/tenancy/tenantDatabase.ts';
import { type Checkout, copyCheckout } from '../support/checkout.ts';

let checkout: Checkout;
let embedded: EmbeddedTarget;
let admin: pg.Client;

const ada = '00000000-0000-4000-8000-00000000000a';
const bob = '00000000-0000-4000-8000-00000000000b';

beforeAll(async () => {
  checkout = await copyCheckout();
  embedded = await openEmbedded(join(checkout.directory, '.data'));
  expect(await db('migrate')).toMatchObject({ code: 0 });
  admin = await connect();
  await admin.query(
    `insert into app_public.users (id, email, username) values ('${ada}', 'ada@example.com', 'ada'), ('${bob}', 'bob@example.com', 'bob');
     insert into app_private.credentials (user_id, password_hash) select id, '$argon2id$none' from app_public.users;
     insert into app_private.sessions (id, user_id, family_hash, refresh_token_hash, expires_at)
     select id, id, sha256(id::text::bytea), sha256(id::text::bytea), now() + interval '1 hour' from app_public.users;
     insert into app_public.todos (user_id, title) values ('${ada}', 'one'), ('${ada}', 'two'), ('${bob}', 'three')`,
  );
});
afterAll(async () => {
  await admin.end();
  await embedded.close();
  await checkout.remove();
});

const db = (...args: string[]) => checkout.run('dba/cli.ts', args);

/** With the owner's connection and no other. */
const asOwner = (...args: string[]) => checkout.run('dba/cli.ts', args, { DATABASE_URL_DIRECT: embedded.ownerUrl });

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: inDatabase(embedded.adminUrl, 'hedgerow') });
  await client.connect();
  return client;
}

async function json(...args: string[]) {
  const { code, output } = await db(...args, '--json');
  return { code, ...JSON.parse(output) };
}

const users = async () => (await admin.query('select id from app_public.users')).rowCount;

test('check runs all operations of a tenant and leaves no data behind', async () => {
  const { code, steps } = await json('check');
  expect(steps.map(({ error }: { error?: string }) => error)).toEqual(Array(10).fill(undefined));
  expect(code).toBe(0);
  expect(await users()).toBe(2);
});

test('check finds an open policy and leaves no data behind', async () => {
  await admin.query('alter policy select_own on app_public.idempotency_keys using (true)');
  try {
    const { code, output } = await db('check');
    expect(code).toBe(1);
    expect(output).toMatch(
      /✗ the second tenant cannot read, update or delete it: a tenant reached another's row by select/,
    );
    expect(output).toContain('✓ remove the test tenants');
    expect(await users()).toBe(2);
  } finally {
    await admin.query(
      'alter policy select_own on app_public.idempotency_keys using (user_id = (select app_public.current_user_id()))',
    );
  }
});

test("check needs the server's connection and reports a refused one", async () => {
  const direct = { DATABASE_URL_DIRECT: embedded.ownerUrl };
  expect(await checkout.run('dba/cli.ts', ['check'], direct)).toMatchObject({
    code: 2,
    output: expect.stringContaining('DATABASE_URL'),
  });
  const wrong = embedded.serverUrl.replace(/:[0-9a-f]+@/, ':wrong-word@');
  const { code, output } = await checkout.run('dba/cli.ts', ['check'], { ...direct, DATABASE_URL: wrong });
  expect(code).toBe(1);
  expect(output).toContain('✗ connect');
  expect(output).not.toContain('wrong-word');
});

test('slow shows the GraphQL operation of a statement, but no values', async () => {
  const options = { size: 1, timeout: 5, recycle: 1800, preparedStatements: true };
  const database = new TenantDatabase(embedded.serverUrl, options, pino({ level: 'silent' }));
  const tenant = database.as(Identity.tenant(ada, ada), { operation: 'Overview' });
  for (const title of ['one', 'two'])
    await tenant.query({
      name: 'by_title',
      text: 'select title from app_public.todos where title = $1',
      values: [title],
    });
  await tenant.query({ name: 'literal', text: "select title from app_public.todos where title <> 'secret-word'" });
  await database.close();

  const { code, statements } = await json('slow', '--order', 'calls', '--limit', '500');
  expect(code).toBe(0);
  expect(statements).toContainEqual(
    expect.objectContaining({
      operation: 'Overview',
      calls: 2,
      rows: 2,
      statement: 'select title from app_public.todos where title = $1',
    }),
  );
  expect(JSON.stringify(statements)).not.toContain('secret-word');
  expect(JSON.stringify(statements)).not.toMatch(/scram|password '/i);
  const calls = statements.map((statement: { calls: number }) => statement.calls);
  expect(calls).toEqual(calls.toSorted((a: number, b: number) => b - a));
});

test.each([[['--order', 'size']], [['--limit', '0']]])('slow refuses %j', async (args) => {
  expect(await db('slow', ...args)).toMatchObject({ code: 2 });
});

test('explain shows the plan under the policies of the given user', async () => {
  const asAda = await json('explain', '--as', 'ada@example.com', '--analyze', 'select title from app_public.todos');
  expect(asAda.code).toBe(0);
  expect(asAda.plans[0].tree['Actual Rows']).toBe(2);
  expect(asAda.plans[0].text).toContain('app.current_user_id');
  const asBob = await json('explain', '--as', bob, '--analyze', 'select title from app_public.todos');
  expect(asBob.plans[0].tree['Actual Rows']).toBe(1);
});

test('explain runs a GraphQL document and rolls it back', async () => {
  const document = `mutation Add($title: String!) {
    a: createTodo(input: {todo: {title: $title}}) { todo { title } }
    b: createTodo(input: {todo: {title: "second"}}) { todo { title } }
  }`;
  const page = join(checkout.directory, 'plan.html');
  const variables = JSON.stringify({ title: '</pre><script>alert(1)</script>' });
  const options = ['--as', 'ada@example.com', '--analyze', '--variables', variables, '--html', page];
  const { code, answer, plans } = await json('explain', ...options, document);
  expect({ code, answer }).toEqual({
    code: 0,
    answer: { data: { a: { todo: { title: JSON.parse(variables).title } }, b: { todo: { title: 'second' } } } },
  });
  expect(plans).toHaveLength(2);
  for (const { tree } of plans) expect(tree['Node Type']).toBe('ModifyTable');
  const { rows } = await admin.query('select title from app_public.todos order by 1');
  expect(rows.map(({ title }) => title)).toEqual(['one', 'three', 'two']);

  const html = await readFile(page, 'utf8');
  expect(html).toContain('Insert');
  expect(html).not.toMatch(/<script|https?:|src=/);
});

test('explain reports the errors of a document', async () => {
  const { code, output } = await db('explain', '--as', 'ada@example.com', '{ nonsense }');
  expect(code).toBe(1);
  expect(output).toContain('nonsense');
});

test.each([
  ['two statements', 'select 1; drop table app_public.todos', 'multiple commands'],
  ['text that is not SQL', 'tell me', 'syntax error'],
  ['nothing', ' ; ', 'The text is empty'],
])('explain refuses %s', async (_, sql, message) => {
  const { code, output } = await db('explain', '--as', 'ada@example.com', sql);
  expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining(message) });
});

test('explain reads its text from a file and reports an unknown user', async () => {
  expect(await db('explain', '--as', 'carol@example.com', 'select 1')).toMatchObject({
    code: 2,
    output: expect.stringContaining('carol@example.com'),
  });
  const file = join(checkout.directory, 'question.sql');
  await writeFile(file, '-- of a file\nselect title from app_public.todos;\n');
  expect(await json('explain', '--as', 'ada@example.com', `@${file}`)).toMatchObject({
    code: 0,
    plans: [{ statement: '-- of a file\nselect title from app_public.todos' }],
  });
  expect(await db('explain', '--as', 'ada@example.com', `@${file}.missing`)).toMatchObject({ code: 2 });
});

test('locks shows waiting sessions, their blockers and the locks', async () => {
  expect(await db('locks')).toMatchObject({ code: 0 });
  const [holder, waiter] = [await connect(), await connect()];
  try {
    const pidOf = async (client: pg.Client) => (await client.query('select pg_backend_pid() as pid')).rows[0].pid;
    const [held, waits] = [await pidOf(holder), await pidOf(waiter)];
    await holder.query('begin; lock table app_public.todos in access exclusive mode');
    const waiting = waiter.query('select title from app_public.todos');
    while (!(await admin.query('select from pg_locks where pid = $1 and not granted', [waits])).rowCount)
      await sleep(10);
    const { code, sessions } = await json('locks');
    expect(code).toBe(1);
    expect(sessions).toMatchObject([
      { pid: held, blocked_by: [], holds: ['AccessExclusiveLock on app_public.todos'] },
      { pid: waits, blocked_by: [held], wants: 'AccessShareLock on app_public.todos' },
    ]);
    expect((await db('locks')).output).toContain('pg_terminate_backend');
    // Postgres hides what they run from the owner, and not that they wait.
    expect(await asOwner('locks')).toMatchObject({ code: 1, output: expect.stringMatching(`${waits} +${held} `) });
    await holder.query('rollback');
    await waiting;
  } finally {
    await holder.end();
    await waiter.end();
  }
});

test('locks reports data that is hidden from the role as hidden', async () => {
  const { code, output } = await asOwner('locks');
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('the age of transactions is hidden') });
  expect(output).toContain('grant pg_read_all_stats to hedgerow_owner');
});

test('bloat reports dead rows that vacuum has not removed', async () => {
  await admin.query('create table app_private.churned (id int) with (autovacuum_enabled = off)');
  await admin.query('insert into app_private.churned select generate_series(1, 400)');
  await admin.query('select pg_stat_force_next_flush()');
  const find = async () => {
    const { code, tables } = await json('bloat');
    return { code, ...tables.find(({ table }: { table: string }) => table === 'app_private.churned') };
  };
  expect(await find()).toMatchObject({ code: 0, dead: 0, overdue: false });
  await admin.query('delete from app_private.churned');
  await admin.query('select pg_stat_force_next_flush()');
  expect(await find()).toMatchObject({ code: 1, dead: 400, overdue: true });
  expect((await db('bloat')).output).toContain('vacuum it');
  await admin.query('vacuum app_private.churned');
  expect(await find()).toMatchObject({ code: 0, dead: 0 });
});

test('unused-indexes lists indexes that no statement used and no constraint needs', async () => {
  await admin.query('create index todos_title_idx on app_public.todos (title)');
  const find = async () => (await json('unused-indexes')).indexes.map(({ index }: { index: string }) => index);
  const unused = await find();
  expect(unused).toContain('app_public.todos_title_idx');
  // A key's, and one that finds the rows of a foreign key.
  expect(unused).not.toContain('app_public.todos_pkey');
  expect(unused).not.toContain('app_public.todos_user_id_list_id_idx');
  await admin.query("set enable_seqscan = off; select from app_public.todos where title = 'one'");
  await admin.query('select pg_stat_force_next_flush()');
  expect(await find()).not.toContain('app_public.todos_title_idx');

  expect((await db('unused-indexes')).code).toBe(0);
  await admin.query("update graphile_migrate.migrations set date = date - interval '8 days'");
  expect((await db('unused-indexes')).code).toBe(1);
});
