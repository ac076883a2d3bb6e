import { readdir, readFile } from 'node:fs/promises';
import { runControls } from '../../isolation/proveSql.ts';
import { holding } from '../../isolation/seedData/seedData.ts';
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

const folder = new URL('sound/', import.meta.url);
const sound = (await readdir(folder)).sort();

test.each(sound)('a sound schema has no leaks, and both tenants can use their rows: %s', async (name) => {
  const sql = await readFile(new URL(name, folder), 'utf8');
  await onSchema(db, sql, async ({ client, catalog, seedData, isAdded }) => {
    const empty = catalog.tables.filter((table) => {
      const isHash = table.partitionConstraint?.includes('satisfies_hash_partition');
      const isShared = seedData.owners.get(table.oid)?.kind === 'shared';
      return (
        !isHash &&
        !isShared &&
        !(holding(seedData, table, 'a').rows.length && holding(seedData, table, 'b').rows.length)
      );
    });
    expect(empty.map((table) => table.name)).toEqual([]);
    const found = await runControls(client, catalog, seedData, { ...roles, only: isAdded });
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter(({ works }) => !works)).toEqual([]);
    expect(await leaksFrom(attackSql(client, catalog, seedData, { ...roles, only: isAdded }))).toEqual([]);
  });
});
