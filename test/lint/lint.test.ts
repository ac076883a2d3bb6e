import { writeFile } from 'node:fs/promises';
import pg from 'pg';
import { lintSchema } from '../../dba/servedApi/lintSchema.ts';
import { createTestDatabase } from '../support/database.ts';
import { openWorkbench } from '../support/verbs.ts';

const bench = await openWorkbench();
const { db, checkout } = bench;
afterAll(() => bench.remove());

const write = (sql: string) => writeFile(bench.file('current.sql'), sql);

const bad = `drop table if exists app_public.notes;
drop index if exists app_public.todos_title_idx;

create table app_public.notes (user_id uuid primary key references app_public.users on delete cascade);
create index todos_title_idx on app_public.todos (user_id, title);
`;

test('the report prints each finding with its location and page, and a comment suppresses one', async () => {
  const expected = [
    /error rls-not-enabled app_public\.notes: .*\n {2}current\.sql:4\n {2}docs\/lint\/rls-not-enabled\.md\n/,
    /warning squawk\/require-concurrent-index-creation create index todos_title_idx: .*\n {2}current\.sql:5\n {2}https:/,
    /✗ 1 errors, 1 warnings, 0 allowed; .* \d+ tables/,
  ];
  await write(bad);
  const { code, output } = await db('lint');
  expect(code).toBe(1);
  for (const words of expected) expect(output).toMatch(words);

  await write(`${bad}-- lint: allow rls-not-enabled on app_public.notes because nobody is granted it\n`);
  const allowed = 'allowed rls-not-enabled app_public.notes: nobody is granted it';
  // A warning remains. It fails the run only with --strict.
  expect(await db('lint')).toMatchObject({ code: 0, output: expect.stringContaining(allowed) });
  expect(await db('lint', '--strict')).toMatchObject({ code: 1, output: expect.stringContaining(allowed) });
});

test('watch prints the report at every save, even if only a comment has changed', async () => {
  await write('-- Nothing yet.\n');
  const watching = checkout.start('dba/cli.ts', ['watch'], bench.env);
  try {
    await watching.line(/^✓ 0 errors, 0 warnings, 0 allowed/);
    await write(bad);
    await watching.line(/^error rls-not-enabled app_public\.notes: /);
    await watching.line(/^✗ 1 errors, 1 warnings, 0 allowed/);
    await write(`${bad}-- lint: allow rls-not-enabled on app_public.notes because nobody is granted it\n`);
    await watching.line(/^✓ 0 errors, 1 warnings, 1 allowed/);
  } finally {
    expect(await watching.stop('SIGINT')).toBe(0);
  }
});

test('lint reports SQL that cannot run twice, and prints the error of SQL that cannot run at all', async () => {
  await write('create schema app_twice;\n');
  expect(await db('lint')).toMatchObject({
    code: 1,
    output: expect.stringMatching(
      /error not-repeatable current\.sql: .*schema "app_twice" already exists\n {2}current\.sql\n/,
    ),
  });
  await write('create schema;\n');
  expect(await db('lint')).toMatchObject({ code: 2, output: expect.stringContaining('syntax error') });
});

test('--all inspects committed migrations too, and --json prints one document', async () => {
  await write('');
  // Progress goes to stderr, so stdout is one JSON document.
  const { code, output } = await db('lint', '--all', '--json');
  const { findings, silenced, inspected } = JSON.parse(output);
  expect(code).toBe(0);
  expect(silenced).toEqual([]);
  expect(findings).toContainEqual(
    expect.objectContaining({ level: 'warning', file: 'migrations/committed/000002-sign-in-and-accounts.sql' }),
  );
  expect(inspected.statements).toBeGreaterThan(150);
});

test('lint names the variable to set if it may not create a scratch database', async () => {
  const env = { DATABASE_URL_DIRECT: 'postgres://hedgerow_owner:secret-word@localhost/x' };
  const { code, output } = await checkout.run('dba/cli.ts', ['lint'], env);
  expect(code).toBe(2);
  expect(output).toContain('ROOT_DATABASE_URL');
  expect(output).not.toContain('secret-word');
});

test('lint fails and names the missing object if there is nothing to inspect', async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.ownerUrl });
  await client.connect();
  try {
    expect((await lintSchema(client)).inspected.tables).toBeGreaterThan(3);
    await client.query('drop schema app_public, app_private cascade; create schema app_public');
    await expect(lintSchema(client)).rejects.toThrow('Nothing was inspected');
    await client.query('drop schema app_public');
    await expect(lintSchema(client)).rejects.toThrow('no schema app_public');
  } finally {
    await client.end();
    await database.drop();
  }
});
