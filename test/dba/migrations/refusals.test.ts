import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { calculateHash, parseMigrationText, serializeMigration } from '../../../postgres/internals/graphileMigrate.ts';
import { withClient } from '../../../postgres/withClient.ts';
import { openWorkbench, type Workbench } from '../../support/verbs.ts';

let bench: Workbench;
let gmrc: string;
beforeAll(async () => {
  bench = await openWorkbench();
  gmrc = await readFile(bench.file('.gmrc'), 'utf8');
});
afterAll(() => bench.remove());
afterEach(async () => {
  await writeFile(bench.file('current.sql'), '-- nothing\n');
  await writeFile(bench.file('.gmrc'), gmrc);
});

const save = (sql: string) => writeFile(bench.file('current.sql'), sql);
const exists = async (name: string) =>
  (await bench.database.asAdmin<{ found: boolean }>('select to_regclass($1) is not null as found', [name]))[0]?.found;

/** Writes a committed migration as another tool would: without the checks of `commit`. */
async function commitUnchecked(words: string, sql: string): Promise<string> {
  const folder = bench.file('migrations', 'committed');
  const last = (await readdir(folder)).sort().at(-1) as string;
  const hash = String(parseMigrationText(last, await readFile(`${folder}/${last}`, 'utf8')).headers.Hash);
  const filename = `${String(Number.parseInt(last, 10) + 1).padStart(6, '0')}-${words}.sql`;
  const body = `${sql.trim()}\n`;
  await writeFile(
    `${folder}/${filename}`,
    serializeMigration(body, { Previous: hash, Hash: calculateHash(body, hash) }),
  );
  return `${folder}/${filename}`;
}

const refusing = [['watch', '--once'], ['commit'], ['lint'], ['rehearse', '--yes', '--disconnect']];

test.each(refusing)(
  '%s runs nothing of a migration that commits halfway',
  async (...verb) => {
    await save('drop table if exists app_private.half;\ncreate table app_private.half ();\ncommit;\nselect 1 / 0;\n');
    const { code, output } = await bench.db(...verb);
    expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining('current.sql:3: `commit`') });
    expect(await exists('app_private.half')).toBe(false);
  },
  120_000,
);

test.each(refusing)(
  '%s reports a byte order mark and CRLF line endings',
  async (...verb) => {
    await save('\ufeffselect 1;\n');
    expect(await bench.db(...verb)).toMatchObject({ code: 2, output: expect.stringContaining('byte order mark') });
    await save('select 1;\r\nselect 2;\r\n');
    expect(await bench.db(...verb)).toMatchObject({ code: 2, output: expect.stringContaining('CRLF') });
  },
  120_000,
);

test('status and check-chain report encoding problems, also in fixtures and committed migrations', async () => {
  const fixture = bench.file('migrations', 'fixtures', 'marked.sql');
  await mkdir(bench.file('migrations', 'fixtures'), { recursive: true });
  await writeFile(fixture, '\ufeffselect 1;\n');
  await save('select 1;\r\n');
  const path = await commitUnchecked('marked', 'select 1;');
  await writeFile(path, `\ufeff${await readFile(path, 'utf8')}`);
  for (const verb of ['status', 'check-chain']) {
    const { code, output } = await bench.db(verb);
    expect(code).toBe(1);
    expect(output).toMatch(/current\.sql has CRLF line endings/);
    expect(output).toMatch(/fixtures\/marked\.sql starts with a byte order mark/);
    expect(output).toMatch(/^✗ \d+-marked\.sql begins with a byte order mark/m);
  }
  await Promise.all([rm(fixture), rm(path)]);
}, 120_000);

test('settings of one committed migration do not reach the next', async () => {
  const probe = (name: string) =>
    `create table app_private.${name} as select current_setting('lock_timeout') as lock_timeout,
       current_setting('search_path') as search_path, current_setting('a.b', true) as own, current_user::text as role;`;
  const paths = [
    await commitUnchecked(
      'probe-a',
      `${probe('probe_a')}\nset lock_timeout = 0;\nselect set_config('search_path', '', false), set_config('a.b', 'c', false);`,
    ),
    await commitUnchecked('probe-b', probe('probe_b')),
    await commitUnchecked('probe-c', "set statement_timeout = '1h';"),
    await commitUnchecked(
      'probe-d',
      "create table app_private.probe_d as select current_setting('statement_timeout') as timeout;",
    ),
  ];
  expect(await bench.db('migrate')).toMatchObject({ code: 0 });
  const [first] = await bench.database.asAdmin('select * from app_private.probe_a');
  const [second] = await bench.database.asAdmin('select * from app_private.probe_b');
  expect(first).toEqual({ lock_timeout: '5s', search_path: 'pg_catalog', own: null, role: 'hedgerow_owner' });
  expect(second).toMatchObject({ lock_timeout: '5s', search_path: 'pg_catalog', role: 'hedgerow_owner' });
  expect(second?.own || null).toBeNull();
  expect(await bench.database.asAdmin('select timeout from app_private.probe_d')).toEqual([{ timeout: '0' }]);
  expect(paths).toHaveLength(4);
}, 120_000);

test('temporary tables, cursors and prepared statements of one committed migration do not reach the next', async () => {
  const sql = `create temp table scratch as select 1 as n; prepare own as select 1;
    declare held cursor with hold for select 1; listen heard;`;
  const folder = bench.file('migrations', 'committed');
  const before = await readdir(folder);
  for (const words of ['state-a', 'state-b']) await commitUnchecked(words, sql);
  await save(`${sql}\ncreate table if not exists app_private.state_read as select n from pg_temp.scratch;\n`);
  const { code, output } = await bench.db('watch', '--once');
  expect({ code, output }).toMatchObject({ output: expect.not.stringMatching(/already exists/) });
  expect(await exists('app_private.state_read')).toBe(true);
  const added = (await readdir(folder)).filter((name) => !before.includes(name));
  expect(added).toHaveLength(2);
}, 120_000);

test('lint, watch, commit and status report a file in Latin-1', async () => {
  await writeFile(bench.file('current.sql'), Buffer.from('-- caf\xe9\nselect 1;\n', 'latin1'));
  for (const verb of [['watch', '--once'], ['commit'], ['lint'], ['status']]) {
    expect((await bench.db(...verb)).output).toMatch(/current\.sql:1: has bytes that are not UTF-8/);
  }
}, 120_000);

test('a committed migration that could be applied halfway is refused before any is applied', async () => {
  const before = await commitUnchecked('sound', 'create table app_private.sound ();');
  const half = await commitUnchecked('half', 'create table app_private.half ();\ncommit;');
  expect(await bench.db('migrate')).toMatchObject({ code: 2, output: expect.stringMatching(/-half\.sql:2: `commit`/) });
  expect(await exists('app_private.sound')).toBe(false);
  await Promise.all([rm(before), rm(half)]);
}, 120_000);

describe('create index concurrently', () => {
  const create = (name: string) =>
    `--! no-transaction\ncreate index concurrently if not exists ${name} on app_private.audit_log (event);\n`;
  const waiting = async () =>
    (
      await bench.database.asAdmin(
        "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%concurrently%'",
      )
    )[0]?.pid as number | undefined;

  async function whileLocked<T>(work: () => Promise<T>, meanwhile: (pid: number) => Promise<unknown>): Promise<T> {
    return withClient(bench.database.ownerUrl, async (client) => {
      await client.query('begin; lock table app_private.audit_log in row exclusive mode');
      const working = work();
      let pid: number | undefined;
      while (!pid) {
        pid = await waiting();
        await sleep(20);
      }
      await meanwhile(pid);
      await client.query('commit');
      return working;
    });
  }

  test('waits longer than lock_timeout for older transactions', async () => {
    await writeFile(bench.file('.gmrc'), gmrc.replace('"5s"', '"100ms"'));
    const path = await commitUnchecked('patient', create('patient_idx'));
    const { code } = await whileLocked(
      () => bench.db('migrate'),
      () => sleep(1000),
    );
    expect(code).toBe(0);
    expect(await exists('app_private.patient_idx')).toBe(true);
    // The migration behind it has lock_timeout again.
    await commitUnchecked('after', "create table app_private.after as select current_setting('lock_timeout') as t;");
    expect(await bench.db('migrate')).toMatchObject({ code: 0 });
    expect(await bench.database.asAdmin('select t from app_private.after')).toEqual([{ t: '100ms' }]);
    expect(path).toMatch(/patient/);
  }, 120_000);

  test('reports the invalid index and how to drop it when canceled', async () => {
    await save(create('cancelled_idx'));
    const { code, output } = await whileLocked(
      () => bench.db('watch', '--once'),
      (pid) => bench.database.asAdmin('select pg_cancel_backend($1)', [pid]),
    );
    expect(code).toBe(2);
    expect(output).toMatch(/canceling statement/);
    expect(output).toContain('`drop index concurrently app_private.cancelled_idx`');
    await bench.database.asAdmin('drop index app_private.cancelled_idx');
  }, 120_000);
});

test.each([
  ['select * from todos;', 'relation "todos" does not exist', 'app_public.name'],
  ["select 'x'::mood;", 'type "mood" does not exist', 'app_public.name'],
  ['select current_user_id();', 'function current_user_id() does not exist', 'app_public.name'],
  ['grant select on app_public.todos to hedgerow_reader;', '"hedgerow_reader" does not exist', 'npm run db -- init'],
  [
    'create or replace procedure app_private.p() language plpgsql as $$ begin commit; end $$;\ncall app_private.p();',
    'invalid transaction termination',
    'backfill',
  ],
])(
  'the error of %j names the next step',
  async (sql, message, next) => {
    await save(`${sql}\n`);
    const { code, output } = await bench.db('watch', '--once');
    expect(code).toBe(2);
    expect(output).toContain(message);
    expect(output.slice(output.lastIndexOf(message))).toContain(next);
  },
  120_000,
);
