import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { root } from '../../common/root.ts';
import { planBackfill } from '../../dba/backfill/plan.ts';
import { hiddenTables, withOwnerPolicies } from '../../dba/online/ownerPolicies.ts';
import { openRetryingConnection } from '../../dba/online/retryingConnection.ts';
import { openWorkbench } from '../support/verbs.ts';

const rows = 600;
const bench = await openWorkbench();
const { asOwner } = bench.database;
afterAll(() => bench.remove());

beforeEach(async () => {
  await bench.database.asAdmin(`truncate app_public.users cascade`);
  await bench.database.asAdmin('alter table app_public.todos drop column if exists n');
  await asOwner('alter table app_public.todos add column n int not null default 0');
  await bench.database.asAdmin(
    `with tenants as (
       insert into app_public.users (email, username) select 'u' || i || '@x.test', 'user' || i from generate_series(1, 6) i
       returning id
     ) insert into app_public.todos (user_id, title) select id, 'Title ' || i from tenants, generate_series(1, ${rows / 6}) i`,
  );
});

const todos = 'app_public.todos';
const backfill = (...args: string[]) => bench.db('backfill', ...args, '--yes', '--pause', '0');
const counts = async () =>
  bench.database.asAdmin('select n, count(*)::int as rows from app_public.todos group by n order by n');
const leftBehind = async () => {
  const [row] = await bench.database.asAdmin(
    `select array(select polname::text from pg_policy where polname ~ 'for_a_while' order by 1) as policies,
       to_regclass('app_private.backfills') is not null as state`,
  );
  return row;
};
const nothing = { policies: [], state: false };

test('a backfill updates each row of all tenants once and leaves no policy or record behind', async () => {
  const { code, output } = await backfill(todos, '--set', 'n = n + 1', '--batch', '70', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(output)).toEqual({
    database: expect.any(String),
    table: todos,
    seen: rows,
    changed: rows,
    finished: true,
    left: null,
  });
  expect(await counts()).toEqual([{ n: 1, rows }]);
  expect(await leftBehind()).toEqual(nothing);
});

test('batches follow the order of the key, not of its text', async () => {
  await asOwner(`drop table if exists app_private.numbered;
    create table app_private.numbered (id int primary key, n int not null default 0);
    insert into app_private.numbered select generate_series(-50, 150)`);
  expect(await backfill('app_private.numbered', '--set', 'n = n + 1', '--batch', '7')).toMatchObject({ code: 0 });
  expect(await bench.database.asAdmin('select distinct n from app_private.numbered')).toEqual([{ n: 1 }]);
  // xmin identifies the transaction that wrote the row.
  const batches = await bench.database.asAdmin(
    'select count(*)::int as rows from app_private.numbered group by xmin::text',
  );
  expect(Math.max(...batches.map(({ rows }) => rows))).toBe(7);
});

test('a killed or stopped backfill continues where it ended', async () => {
  const args = ['backfill', todos, '--set', 'n = n + 1', '--batch', '50', '--yes', '--pause'];
  const killed = start([...args, '100000']);
  await seen(50);
  killed.kill('SIGKILL');
  await once(killed, 'close');
  expect(await leftBehind()).toEqual({
    policies: ['owner_select_for_a_while', 'owner_update_for_a_while'],
    state: true,
  });
  expect(await bench.db('status')).toMatchObject({
    code: 1,
    output: expect.stringContaining('owner_update_for_a_while'),
  });

  const stopped = start([...args, '100000']);
  let output = '';
  for (const stream of [stopped.stdout, stopped.stderr]) stream?.on('data', (text) => (output += text));
  await seen(100);
  stopped.kill('SIGINT');
  expect(await once(stopped, 'close')).toEqual([1, null]);
  expect(output).toContain('continuing after 50 rows');
  expect(output).toContain('Run the same command to continue');
  expect(await leftBehind()).toEqual({ policies: [], state: true });

  expect(await bench.db(...args, '0')).toMatchObject({ code: 0, output: expect.stringContaining('600 rows changed') });
  expect(await counts()).toEqual([{ n: 1, rows }]);
  expect(await leftBehind()).toEqual(nothing);
});

test('a backfill retries after lock timeouts and lost connections', async () => {
  const holder = new pg.Client({ connectionString: bench.database.adminUrl });
  await holder.connect();
  await holder.query('begin; update app_public.todos set n = n where id = (select id from app_public.todos limit 1)');
  const running = start([
    'backfill',
    todos,
    '--set',
    'n = n + 1',
    '--yes',
    '--pause',
    '0',
    '--batch',
    '50',
    '--lock-timeout',
    '50',
  ]);
  let output = '';
  running.stderr?.on('data', (text) => (output += text));
  while (!output.includes('lock timeout')) await sleep(20);
  const ended = await bench.database.asAdmin(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and usename = 'hedgerow_owner' and application_name = 'hedgerow dba'`,
  );
  expect(ended.length).toBeGreaterThan(0);
  while (!output.includes('connection lost')) await sleep(20);
  await holder.query('rollback');
  await holder.end();
  expect(await once(running, 'close')).toEqual([0, null]);
  expect(await counts()).toEqual([{ n: 1, rows }]);
  expect(await leftBehind()).toEqual(nothing);
});

test('rows that still match WHERE at the end are a finding', async () => {
  const done = await backfill(todos, '--set', 'n = 1 -- one', '--where', 'n = 0 and title like $$%7$$ -- few');
  expect(done).toMatchObject({ code: 0, output: expect.stringContaining('60 rows changed, none remain') });
  const undone = await backfill(todos, '--set', 'n = 1', '--where', 'n = 1');
  expect(undone).toMatchObject({ code: 1, output: expect.stringContaining('60 still match WHERE') });
});

test('a backfill sees the rows of another table that SET reads', async () => {
  await bench.database.asAdmin("insert into app_public.lists (user_id, name) select id, 'x' from app_public.users");
  const set = 'n = (select count(*) from app_public.lists l where l.user_id = todos.user_id)';
  expect(await backfill(todos, '--set', set)).toMatchObject({ code: 0 });
  expect(await counts()).toEqual([{ n: 1, rows }]);
  expect(await leftBehind()).toEqual(nothing);
});

test('the trigger of docs/dba.md skips backfills only', async () => {
  const page = await readFile(join(root, 'docs', 'dba.md'), 'utf8');
  await asOwner(/^### Backfill\n.*?```sql\n(.*?)```/ms.exec(page)?.[1] as string);
  const touched = async () =>
    (
      await bench.database.asAdmin('select count(*)::int as rows from app_public.todos where updated_at > created_at')
    )[0];
  expect(await backfill(todos, '--set', 'n = 1')).toMatchObject({ code: 0 });
  expect(await counts()).toEqual([{ n: 1, rows }]);
  expect(await touched()).toEqual({ rows: 0 });
  await bench.database.asAdmin('update app_public.todos set n = 2');
  expect(await touched()).toEqual({ rows });
});

test('an invalid backfill is refused and changes nothing', async () => {
  expect(await backfill('app_public.nothing', '--set', 'n = 1')).toMatchObject({
    code: 2,
    output: expect.stringContaining('There is no table'),
  });
  const view = 'n = (select count(*) from app_public.audit_events)';
  const connection = connectAsOwner();
  const refused = (set: string, where?: string) =>
    expect(connection.transaction((client) => planBackfill(client, { table: todos, set, where }))).rejects.toThrow(
      /^(The update is not valid|SET and WHERE contain more than one statement)/,
    );
  for (const set of ['m = 1', 'n = 1; delete from app_public.todos', "n = 'many'", view, 'n = 1 where n = 0']) {
    await refused(set);
  }
  await refused('n = 1', 'false) or (true');
  await connection.close();
  // The first batch fails, and leaves no record of an unfinished backfill.
  for (const set of ['n = 1 / n', 'id = gen_random_uuid()']) {
    expect(await backfill(todos, '--set', set, '--batch', '50')).toMatchObject({ code: 2 });
  }
  expect(await bench.db('backfill', todos, '--set', 'n = 1')).toMatchObject({
    code: 2,
    output: expect.stringContaining('--yes'),
  });
  await asOwner('create policy narrow on app_public.todos as restrictive to public using (n > 5)');
  expect(await backfill(todos, '--set', 'n = 1')).toMatchObject({ code: 2, output: expect.stringContaining('narrow') });
  await asOwner('drop policy narrow on app_public.todos');
  expect(await counts()).toEqual([{ n: 0, rows }]);
  expect(await leftBehind()).toEqual(nothing);
});

test('a second backfill of the same table reports that it waits for the first', async () => {
  const first = start(['backfill', todos, '--set', 'n = n + 1', '--batch', '50', '--yes', '--pause', '100000']);
  await seen(50);
  expect(await backfill(todos, '--set', 'n = 7', '--attempts', '2')).toMatchObject({
    code: 2,
    output: expect.stringContaining('another backfill or validation works on app_public.todos'),
  });
  first.kill('SIGINT');
  await once(first, 'close');
});

test('an error names all policies that cannot be dropped, after the original failure', async () => {
  const connection = connectAsOwner();
  const tables = [todos, 'app_public.lists'];
  const { rows } = await connection.transaction((client) =>
    client.query('select oid::int8::int as oid from unnest($1::regclass[]) oid', [tables]),
  );
  const hidden = await connection.transaction((client) =>
    hiddenTables(
      client,
      rows.map(({ oid }) => ({ oid, commands: ['select'] })),
    ),
  );
  const reader = new pg.Client({ connectionString: bench.database.adminUrl });
  await reader.connect();
  const failing = async () => {
    await reader.query('begin; select from app_public.todos; select from app_public.lists');
    throw new Error('broken');
  };
  await expect(withOwnerPolicies(connection, hidden, failing)).rejects.toThrow(
    /^broken\n.*could not be dropped.*\n(.* on app_public\.(todos|lists);\s*){2}$/,
  );
  await reader.end();
  await withOwnerPolicies(connection, hidden, async () => {});
  expect(await leftBehind()).toMatchObject({ policies: [] });
  await connection.close();
});

function connectAsOwner() {
  return openRetryingConnection(
    bench.database.ownerUrl,
    { lockTimeout: 50, attempts: 1 },
    async () => {},
    () => {},
  );
}

function start(args: readonly string[]): ChildProcess {
  const { checkout, env } = bench;
  return spawn(process.execPath, ['dba/cli.ts', ...args], {
    cwd: checkout.directory,
    env: { PATH: process.env.PATH, ...env },
  });
}

/** Waits until the record of the backfill counts that many rows. */
async function seen(count: number): Promise<void> {
  for (;;) {
    const [row] = await bench.database
      .asAdmin('select max(seen)::int as seen from app_private.backfills')
      .catch(() => []);
    if ((row?.seen ?? 0) >= count) return;
    await sleep(20);
  }
}
