import { readdir, readFile } from 'node:fs/promises';
import { attackSql } from '../../isolation/sql/attackSql.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { leaksFrom, onSchema, roles } from './onSchema.ts';

// Under load, these tests take minutes instead of seconds.
import.meta.jest.setTimeout(300_000);

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const folder = new URL('faults/', import.meta.url);
const faults = (await readdir(folder)).sort();

test.each(faults)('the prover finds the fault %s', async (name) => {
  const file = new URL(name, folder);
  const expected = /^-- Expected: (\S+): (.+)$/m.exec(await readFile(file, 'utf8'));
  const [, table, attack = ''] = expected ?? [];
  const isExpected = (leak: { table: string; attack: string }) =>
    leak.table === table && leak.attack.startsWith(attack);
  const leaks = await onSchema(db, await readFile(file, 'utf8'), ({ client, catalog, seedData, isAdded }) =>
    leaksFrom(attackSql(client, catalog, seedData, { ...roles, only: isAdded }), isExpected),
  );
  expect(leaks.map((leak) => `${leak.table}: ${leak.attack}`)).toContainEqual(
    expect.stringContaining(`${table}: ${attack}`),
  );
  // The evidence names the row's owner.
  expect(leaks.find(isExpected)?.evidence).toMatch(/\bA\b.*[0-9a-f]{8}-[0-9a-f]{4}-4/s);
});
