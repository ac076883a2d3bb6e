import { readFile } from 'node:fs/promises';
import { takeSnapshot } from '../../dba/commands/snapshot.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

async function describe(): Promise<string> {
  return withClient(db.ownerUrl, takeSnapshot);
}

test('migrations/snapshot.txt matches the migrations; otherwise run `npm run db -- snapshot`', async () => {
  const bare = await createTestDatabase('bare');
  try {
    expect(await withClient(bare.ownerUrl, takeSnapshot)).toBe(await readFile('migrations/snapshot.txt', 'utf8'));
  } finally {
    await bare.drop();
  }
});

test.each([
  ['forced row-level security', 'alter table app_public.todos no force row level security', 'enabled, not forced'],
  [
    'a policy',
    'alter policy select_own on app_public.todos using (true)',
    'policy select_own permissive for select to hedgerow_tenant using true',
  ],
  ['a column grant', 'grant update (user_id) on app_public.todos to hedgerow_tenant', 'grant update (user_id, list_id'],
  [
    'a table grant',
    'grant truncate on app_public.lists to hedgerow_tenant',
    'grant delete, select, truncate to hedgerow_tenant',
  ],
  [
    "a view's security_invoker",
    'create view app_public.v with (security_invoker = true) as select 1 as one',
    'view app_public.v owner postgres with (security_invoker=true)',
  ],
  [
    'a function that everybody may run',
    'grant execute on function app_public.current_user_id() to public',
    'grant execute to public',
  ],
  ['a definer function', 'alter function app_public.current_user_id() security definer', 'SECURITY DEFINER'],
  ['a disabled trigger', 'alter table app_public.todos disable trigger set_updated_at', 'set_updated_at() disabled'],
])('the snapshot shows %s', async (_what, change, line) => {
  expect(await describe()).not.toContain(line);
  await db.asAdmin(change);
  expect(await describe()).toContain(line);
});
