import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

test("no function resolves names through the caller's search_path", async () => {
  const functions = await db.asAdmin<{ name: string; bound: boolean }>(
    `select p.oid::regprocedure::text as name, p.prosqlbody is not null or p.proconfig::text like '%search_path=%' as bound
     from pg_proc p where p.pronamespace::regnamespace::text in ('app_public', 'app_private', 'app_search')
       and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`,
  );
  expect(functions.length).toBeGreaterThan(10);
  expect(functions.filter(({ bound }) => !bound)).toEqual([]);
});

test('the planner replaces a call of current_user_id() with its body', async () => {
  const plan = await db.asAdmin('explain verbose select app_public.current_user_id() from generate_series(1, 2)');
  const text = JSON.stringify(plan);
  expect(text).toContain('current_setting(');
  expect(text).not.toContain('current_user_id()');
});

test('current_user() returns all columns of the table, including later ones', async () => {
  const id = '00000000-0000-4000-8000-000000000001';
  await db.asAdmin("insert into app_public.users (id, email, username) values ($1, 'ada@example.com', 'ada')", [id]);
  await db.asAdmin("alter table app_public.users add column nickname text default 'A'");
  const rows = await db.asAdmin(
    `with tenant as materialized (select set_config('app.current_user_id', $1, true))
     select u.* from tenant, lateral (select (app_public.current_user()).* where tenant is not null) u`,
    [id],
  );
  expect(rows).toEqual([expect.objectContaining({ id, username: 'ada', nickname: 'A' })]);
});
