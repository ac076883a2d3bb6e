import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runControls } from '../../isolation/proveSql.ts';
import { holding } from '../../isolation/seedData/seedData.ts';
import { attackSql } from '../../isolation/sql/attackSql.ts';
import { whyWithoutRows } from '../../isolation/unproven.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { leaksFrom, onSchema, roles } from './onSchema.ts';

// Under load, these tests take minutes instead of seconds.
import.meta.jest.setTimeout(300_000);

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const folder = (name: string) => new URL(`${name}/`, import.meta.url);

test('the evidence names the condition that a witness row satisfies', async () => {
  const file = await readFile(new URL('flag-phase-and-time.sql', folder('faults')), 'utf8');
  // No plain row satisfies this condition by chance.
  const sql = file.replace("phase = 'published'", "phase = 'published' and title = 'open to all'");
  const [leak] = await onSchema(db, sql, ({ client, catalog, seedData, isAdded }) =>
    leaksFrom(
      attackSql(client, catalog, seedData, { ...roles, only: isAdded }),
      ({ attack }) => attack === 'select by scan',
    ),
  );
  expect(leak?.evidence).toMatch(/was generated to satisfy policy select_own of app_public\.notes\.$/);
});

const pairs = `
create table app_public.pairs (
  user_id uuid primary key default app_public.current_user_id() references app_public.users on delete cascade,
  word text not null check (md5(word) like 'e4d9%')
);
alter table app_public.pairs enable row level security, force row level security;
create policy own on app_public.pairs to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
grant select, insert on app_public.pairs to hedgerow_tenant;`;

test('a table whose rows cannot be generated is reported, and a fixture fills it', async () => {
  const problems = await onSchema(db, pairs, async ({ catalog, seedData }) => whyWithoutRows(catalog, seedData));
  expect(problems.join()).toMatch(/app_public\.pairs was not attacked: no row for A.*isolation\/fixtures/s);
  const fixtures = await mkdtemp(join(tmpdir(), 'hedgerow-fixtures-'));
  const word = wordOf('e4d9');
  await writeFile(
    join(fixtures, 'pairs.sql'),
    `insert into app_public.pairs (user_id, word) values (:owner, '${word}')`,
  );
  const rows = await onSchema(
    db,
    pairs,
    async ({ catalog, seedData }) =>
      catalog.tables.filter(({ relname }) => relname === 'pairs').map((table) => holding(seedData, table, 'a').rows),
    fixtures,
  );
  expect(rows).toEqual([[expect.objectContaining({ word })]]);
  await rm(fixtures, { recursive: true });
});

test('a grant without a policy is distinguished from a refusal', async () => {
  const sql = pairs
    .replace(" check (md5(word) like 'e4d9%')", '')
    .replace('app_public.current_user_id()));', 'app_public.current_user_id()) and false);');
  const found = await onSchema(db, sql, ({ client, catalog, seedData, isAdded }) =>
    runControls(client, catalog, seedData, { ...roles, only: isAdded }),
  );
  expect(found.map(({ operation, works, reason }) => ({ operation, works, reason }))).toEqual([
    { operation: 'select', works: false },
    { operation: 'insert', works: false },
  ]);
});

test('the same seed generates the same rows', async () => {
  const sql = await readFile(new URL('types.sql', folder('sound')), 'utf8');
  const keys = () =>
    onSchema(db, sql, async ({ catalog, seedData }) =>
      catalog.tables.map((table) => [
        table.name,
        holding(seedData, table, 'a').rows.map((row) => table.keys[0]?.columns.map((name) => row[name])),
      ]),
    );
  expect(await keys()).toEqual(await keys());
});

/** Finds a word whose MD5 starts with `beginning`. */
function wordOf(beginning: string): string {
  for (let n = 0; ; n++) if (createHash('md5').update(String(n)).digest('hex').startsWith(beginning)) return String(n);
}
