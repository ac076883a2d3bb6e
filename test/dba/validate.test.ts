import { openWorkbench } from '../support/verbs.ts';

const bench = await openWorkbench();
const { asOwner } = bench.database;
afterAll(() => bench.remove());

const unvalidated = async () =>
  (
    await bench.database.asAdmin(
      `select conname::text as name from pg_constraint where not convalidated and conrelid = 'app_public.todos'::regclass order by 1`,
    )
  ).map(({ name }) => name);
const policies = () => bench.database.asAdmin("select from pg_policy where polname ~ 'for_a_while'");

beforeEach(async () => {
  await bench.database.asAdmin(
    'truncate app_public.users cascade; alter table app_public.todos drop column if exists place',
  );
  await asOwner('alter table app_public.todos add column place uuid');
  await bench.database.asAdmin(
    `with tenant as (insert into app_public.users (email, username) values ('ada@x.test', 'ada') returning id)
     insert into app_public.todos (user_id, title, place) select id, 'x', gen_random_uuid() from tenant`,
  );
});

const foreignKey = 'foreign key (user_id, place) references app_public.lists (user_id, id)';

test('validate checks a foreign key against rows that the owner does not see', async () => {
  // Postgres alone reports no error, although the row refers to no list.
  await asOwner(`alter table app_public.todos add constraint todos_place_fkey ${foreignKey};
    alter table app_public.todos drop constraint todos_place_fkey;
    alter table app_public.todos add constraint todos_place_fkey ${foreignKey} not valid`);
  const wrong = await bench.db('validate');
  expect(wrong).toMatchObject({ code: 1, output: expect.stringContaining('is not present in table "lists"') });
  expect(await unvalidated()).toEqual(['todos_place_fkey']);
  expect(await policies()).toEqual([]);

  await bench.database.asAdmin(
    `with list as (insert into app_public.lists (user_id, name) select id, 'x' from app_public.users returning id)
     update app_public.todos set place = list.id from list`,
  );
  expect(await bench.db('validate')).toMatchObject({
    code: 0,
    output: expect.stringContaining('✓ app_public.todos: todos_place_fkey'),
  });
  expect(await unvalidated()).toEqual([]);
  expect(await policies()).toEqual([]);
});

test('validate finishes checks and not-null constraints, and reports the ones that rows violate', async () => {
  await asOwner(`alter table app_public.todos add constraint short check (char_length(title) < 10) not valid,
    add constraint done check (completed) not valid, add constraint placed not null place not valid`);
  const listed = await bench.db('validate', '--list', '--json');
  expect(listed.code).toBe(1);
  expect(JSON.parse(listed.output).constraints.map(({ name }: { name: string }) => name)).toEqual([
    'done',
    'placed',
    'short',
  ]);
  expect(await unvalidated()).toEqual(['done', 'placed', 'short']);

  expect(await bench.db('validate', 'app_public.lists')).toMatchObject({ code: 0 });
  const { code, output } = await bench.db('validate', 'app_public.todos');
  expect(code).toBe(1);
  expect(output).toContain('check constraint "done" of relation "todos" is violated by some row');
  expect(await unvalidated()).toEqual(['done']);
  await asOwner('alter table app_public.todos drop constraint done');
  expect(await bench.db('validate')).toMatchObject({ code: 0, output: expect.stringContaining('✓ none') });
});
