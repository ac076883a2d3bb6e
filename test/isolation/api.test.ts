import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { proveApi } from '../../isolation/api/proveApi.ts';
import { hedgerowScope } from '../../isolation/hedgerow/scope.ts';
import { createTestDatabase } from '../support/database.ts';
import { faulty } from './faulty.ts';

/** Attacks the API of the migrations after applying `sql`. */
async function attack(sql: string, only?: (table: string) => boolean) {
  const db = await createTestDatabase();
  try {
    await db.asAdmin(`begin; set local role hedgerow_owner; ${sql}; commit`);
    const { serverUrl, adminUrl } = db;
    const options = { scope: hedgerowScope, seed: 7, poolSizes: [1], operations: 0, only, progress: () => {} };
    const { attempts, unproven } = await proveApi({ ...options, serverUrl, adminUrl });
    return { attempts, unproven, leaks: attempts.filter(({ outcome }) => outcome === 'leaked') };
  } finally {
    await db.drop();
  }
}

test('no field leaks rows of the migrations’ tables or of the tables in docs/dba.md', async () => {
  const page = await readFile(join(root, 'docs', 'dba.md'), 'utf8');
  const [, example = ''] = page.match(/```sql\n(drop table if exists app_public\.todo_tags[\s\S]*?)```/) ?? [];
  const { attempts, unproven, leaks } = await attack(example);
  expect(leaks).toEqual([]);
  expect(unproven).toEqual([]);
  const tables = new Set(attempts.map(({ table }) => table));
  for (const table of ['users', 'lists', 'todos', 'audit_events', 'tags', 'todo_tags'])
    expect(tables).toContain(`app_public.${table}`);
}, 600_000);

test('an identity statement that does not refuse a foreign organization is found', async () => {
  const { leaks } = await attack(
    `create or replace function app_private.refuse_membership() returns text language sql as 'select null::text'`,
    (table) => table === 'app_public.lists',
  );
  expect(leaks.map(({ attack, path }) => `${path}: ${attack}`)).toEqual(
    expect.arrayContaining(['http: organization of another tenant', 'websocket: organization of another tenant']),
  );
}, 600_000);

test('a faulty table is reported with the request and the owner of the row', async () => {
  const { leaks } = await attack(faulty, (table) => /note|bodies|\(API\)/i.test(table));
  const evidence = (about: string, attack: RegExp) =>
    leaks.filter((leak) => leak.attack.match(attack) && leak.statement.includes(about)).map((leak) => leak.evidence);
  // A foreign key without the owner, and a unique constraint across tenants.
  expect(evidence('"listId"', /one value of another/)[0]).toMatch(/a different answer for A's values/);
  expect(evidence('"body"', /one value of another/).join()).toMatch(/CONFLICT/);
  // A view and functions that run as their owner.
  expect(evidence('allNotes', /scan/)[0]).toMatch(/B was shown a value of A's/);
  expect(evidence('howManyNotes', /while A writes/)[0]).toMatch(/before and after A wrote/);
  expect(evidence('bodies', /arguments of another/)[0]).toMatch(/a different answer/);
  expect(evidence('emptyNote', /one value of another|arguments of another/)[0]).toMatch(/changed A's rows/);
  expect(evidence('alike', /while A writes/)[0]).toMatch(/before and after A wrote/);
}, 600_000);
