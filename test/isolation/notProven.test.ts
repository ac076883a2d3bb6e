import { proveApi } from '../../isolation/api/proveApi.ts';
import { createTestDatabase } from '../support/database.ts';

/** Attacks the API of the migrations with `sql` on top of them. */
async function attackApi(sql: string, only: (table: string) => boolean) {
  const db = await createTestDatabase();
  try {
    await db.asAdmin(`begin; set local role hedgerow_owner; ${sql}; commit`);
    const scope = { schema: 'app_public', role: 'hedgerow_tenant', setting: 'app.current_user_id' };
    const { serverUrl, adminUrl } = db;
    const options = { scope, seed: 7, poolSizes: [1], operations: 0, only, progress: () => {} };
    return await proveApi({ ...options, serverUrl, adminUrl });
  } finally {
    await db.drop();
  }
}

const table = `
create table app_public.drafts (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  body text not null,
  primary key (user_id, id)
);
alter table app_public.drafts enable row level security, force row level security;
grant select, insert (id, body), update (body), delete on app_public.drafts to hedgerow_tenant;`;

test('the API of a table with grants and no policy', async () => {
  const r = await attackApi(table, (name) => name === 'app_public.drafts');
  console.log(JSON.stringify({ ...r, attempts: r.attempts.length }, null, 1));
}, 180_000);
test('the API of a broken table', async () => {
  const r = await attackApi(
    `${table} create policy own on app_public.drafts to hedgerow_tenant
      using (user_id = (select app_public.current_user_id()) and (select (1 / pg_catalog.length('')) > 0))`,
    (name) => name === 'app_public.drafts',
  );
  console.log(JSON.stringify({ ...r, attempts: r.attempts.length }, null, 1));
}, 180_000);
