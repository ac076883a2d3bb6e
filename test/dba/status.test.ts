import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { calculateHash, serializeMigration } from '../../postgres/internals/graphileMigrate.ts';
import { startSystemPostgres, systemBin } from '../support/systemPostgres.ts';
import { openWorkbench } from '../support/verbs.ts';

const workbench = await openWorkbench();
afterAll(() => workbench.remove());

const { db, file } = workbench;
const committed = async () => (await readdir(file('migrations', 'committed'))).sort();

async function status() {
  const { code, output } = await db('status', '--json');
  return { code, ...JSON.parse(output) };
}

/** Does `change` to a file, and undoes it after `use`. */
async function changed(path: string, change: (text: string) => string, use: () => Promise<void>): Promise<void> {
  const text = await readFile(path, 'utf8');
  await writeFile(path, change(text));
  try {
    await use();
  } finally {
    await writeFile(path, text);
  }
}

test('status lists applied migrations with their times', async () => {
  const names = await committed();
  expect(await status()).toMatchObject({
    code: 0,
    committed: names.length,
    applied: names.length,
    migrations: names.map((filename) => ({ filename, state: 'applied', appliedAt: expect.stringMatching(/^2/) })),
    problems: [],
  });
});

test('an edited body is reported even with an unchanged header, and blocks further migrations', async () => {
  const [first, second] = (await committed()) as [string, string];
  await changed(
    file('migrations', 'committed', second),
    (text) => `${text}-- edited\n`,
    async () => {
      const { code, migrations, problems } = await status();
      expect(code).toBe(1);
      expect(migrations.map(({ state }: { state: string }) => state).slice(0, 3)).toEqual([
        'applied',
        'edited',
        'applied',
      ]);
      expect(problems).toContain(`migration ${second} was edited after it was applied`);
      expect(await db('migrate')).toMatchObject({ code: 2, output: expect.stringContaining(second) });
      expect(await db('check-chain')).toMatchObject({
        code: 1,
        output: expect.stringContaining('its body has the hash sha1:'),
      });
    },
  );
  await changed(
    file('migrations', 'committed', second),
    (text) => text.replace(/^--! Previous: .*$/m, `--! Previous: sha1:${'0'.repeat(40)}`),
    async () => {
      expect(await db('check-chain')).toMatchObject({
        code: 1,
        output: expect.stringContaining(`${second} does not follow ${first}`),
      });
    },
  );
  const stray = file('migrations', 'committed', '000099 stray.sql');
  await writeFile(stray, '');
  expect(await db('check-chain')).toMatchObject({ code: 1, output: expect.stringContaining('it is never applied') });
  await rm(stray);
  expect(await db('check-chain')).toMatchObject({ code: 0 });
});

test('a fixture that no migration applies is reported until it is included', async () => {
  const path = 'functions/app_private.set_updated_at.sql';
  const fresh = file('migrations', 'fixtures', 'functions', 'app_private.fresh.sql');
  await writeFile(fresh, 'select 1;\n');
  await changed(
    file('migrations', 'fixtures', path),
    (text) => text.replace('now()', 'clock_timestamp()'),
    async () => {
      const forgotten = [
        'migrations/fixtures/functions/app_private.fresh.sql is in no migration: add `--! include functions/app_private.fresh.sql` to current.sql',
        `migrations/fixtures/${path} has changed since the migration that includes it: add \`--! include ${path}\` to current.sql`,
      ];
      expect(await status()).toMatchObject({ code: 1, problems: forgotten, fixtures: forgotten });
      expect(await db('check-chain')).toMatchObject({ code: 1, output: expect.stringContaining(path) });
      const include = () => `--! include ${path}\n--! include functions/app_private.fresh.sql\n`;
      await changed(file('current.sql'), include, async () => {
        expect(await status()).toMatchObject({ code: 0 });
      });
    },
  );
  await rm(fresh);
});

/** Commits a migration without a transaction that builds `index` on app_private.audit_log. */
function commitIndex(index: string): Promise<string> {
  const table = 'app_private.audit_log (event)';
  return commitSql('index', `--! no-transaction\ncreate index concurrently if not exists ${index} on ${table};\n`);
}

async function commitSql(name: string, sql: string): Promise<string> {
  const last = (await committed()).at(-1) as string;
  const hash = /^--! Hash: (.*)$/m.exec(await readFile(file('migrations', 'committed', last), 'utf8'))?.[1] as string;
  const filename = `${String(Number.parseInt(last, 10) + 1).padStart(6, '0')}-${name}.sql`;
  const headers = { Previous: hash, Hash: calculateHash(sql, hash) };
  await writeFile(file('migrations', 'committed', filename), serializeMigration(sql, headers));
  return filename;
}

/** Runs `migrate` until it waits for a transaction that uses the table, and then `interrupt`. */
async function migrateUntilWaiting(interrupt: (migrate: { pid: number; backend: number }) => Promise<unknown>) {
  const blocker = new pg.Client({ connectionString: workbench.database.ownerUrl });
  await blocker.connect();
  await blocker.query('begin; lock table app_private.audit_log in row exclusive mode');
  const child = spawn(process.execPath, ['dba/cli.ts', 'migrate'], {
    cwd: workbench.checkout.directory,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...workbench.env },
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  for (;;) {
    const [row] = await workbench.database.asAdmin<{ pid: number }>(
      "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%concurrently%'",
    );
    if (row) {
      await interrupt({ pid: child.pid as number, backend: row.pid });
      break;
    }
    if (child.exitCode !== null) throw new Error('migrate ended by itself');
    await sleep(20);
  }
  await ended;
  await blocker.query('commit');
  await blocker.end();
}

test('an invalid index is reported, and migrate does not skip it', async () => {
  const filename = await commitIndex('audit_log_event_idx');
  await migrateUntilWaiting(({ backend }) => workbench.database.asAdmin('select pg_terminate_backend($1)', [backend]));
  const found = await status();
  expect(found.migrations.at(-1)).toEqual({ filename, state: 'half-applied', appliedAt: null });
  expect(found.problems).toEqual([
    `migration ${filename} has not been applied`,
    expect.stringMatching(`^migration ${filename} has no transaction and was started at .* already$`),
    expect.stringContaining('`drop index concurrently app_private.audit_log_event_idx`'),
  ]);
  const refused = await db('migrate');
  expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('drop index concurrently') });

  await workbench.database.asAdmin('drop index app_private.audit_log_event_idx');
  expect(await db('migrate')).toMatchObject({ code: 0, output: expect.stringContaining('it will be run again') });
  expect((await status()).migrations.at(-1)).toMatchObject({ filename, state: 'applied' });
});

test('a migration that was killed before it was recorded is reported and runs again', async () => {
  const filename = await commitIndex('audit_log_event_again_idx');
  await migrateUntilWaiting(async ({ pid }) => process.kill(pid, 'SIGKILL'));
  // Postgres, which knows nothing of it, builds the index to its end.
  for (;;) {
    const made = await workbench.database.asAdmin(
      "select from pg_index where indexrelid = to_regclass('app_private.audit_log_event_again_idx') and indisvalid",
    );
    if (made.length > 0) break;
    await sleep(20);
  }
  expect((await status()).migrations.at(-1)).toMatchObject({ filename, state: 'half-applied' });
  expect(await db('migrate')).toMatchObject({ code: 0 });
  expect((await status()).migrations.at(-1)).toMatchObject({ filename, state: 'applied' });
});

test('a manual change of the schema is reported', async () => {
  await appendFile(file('migrations', 'snapshot.txt'), '\ntable app_private.gone owner hedgerow_owner\n');
  const { drift } = await status();
  expect(drift).toContain('missing from the database: table app_private.gone owner hedgerow_owner');
  expect(drift).toContainEqual(expect.stringMatching('^not in migrations/snapshot.txt: .*audit_log_event_idx'));
});

const bin = systemBin();
if (bin) {
  test('a different notation of another Postgres version is no difference', async () => {
    const other = await startSystemPostgres(bin);
    try {
      await commitSql(
        'versions',
        `create domain app_private.code as text not null check (value <> '');
create view app_private.titles with (security_invoker = true) as select t.id, t.title from app_public.todos t;
grant all on app_private.audit_log to hedgerow_auth;
alter default privileges in schema app_private grant all on tables to hedgerow_auth;
`,
      );
      expect(await db('migrate')).toMatchObject({ code: 0 });
      expect(await db('snapshot')).toMatchObject({ code: 0 });
      expect(await status()).toMatchObject({ code: 0 });

      // As on Neon: an admin who is no superuser.
      await other.query('postgres', `create role admin login createrole createdb password '${other.password}'`);
      const env = {
        ROOT_DATABASE_URL: other.url('admin', 'postgres'),
        DATABASE_URL: other.url('hedgerow_authenticator', 'shop'),
        DATABASE_URL_DIRECT: other.url('hedgerow_owner', 'shop'),
        SHADOW_DATABASE_URL: other.url('hedgerow_owner', 'shadow'),
      };
      const there = (verb: string) => workbench.checkout.run('dba/cli.ts', [verb], env);
      for (const verb of ['init', 'migrate']) expect(await there(verb)).toMatchObject({ code: 0 });
      expect(await there('status')).toMatchObject({ code: 0, output: expect.stringContaining('matches the files') });
      expect(await there('snapshot')).toMatchObject({ code: 0 });
      expect(await status()).toMatchObject({ code: 0, drift: [] });
      await other.query('shop', 'alter view app_public.audit_events set (security_invoker = false)');
      expect(await there('status')).toMatchObject({ code: 1, output: expect.stringContaining('security_invoker') });
    } finally {
      await other.stop();
    }
  }, 90_000);
}
