import { proveIdentityStatements } from '../../isolation/hedgerow/identityStatements.ts';
import { runControls } from '../../isolation/proveSql.ts';
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

const ofOrganization = 'organization_id = (select app_public.current_organization_id())';
const ofUser = 'user_id = (select app_public.current_user_id())';
const isWriter = "(select app_public.current_member_role()) in ('owner', 'admin', 'member')";

/** A table of boards that belong to an organization, and one of notes that belong to a user. */
const schema = ({
  boards = ofOrganization,
  writers = `${ofOrganization} and ${isWriter}`,
  notes = ofUser,
}: {
  boards?: string;
  writers?: string;
  notes?: string;
}) => `
create function app_private.all_of_mine() returns setof uuid language sql stable security definer set search_path = ''
  as $$ select organization_id from app_public.organization_members where user_id = app_public.current_user_id() $$;
grant usage on schema app_private to hedgerow_tenant;
grant execute on function app_private.all_of_mine to hedgerow_tenant;
reset role;
alter function app_private.all_of_mine owner to postgres;
set local role hedgerow_owner;

create table app_public.boards (
  organization_id uuid not null default app_public.current_organization_id() references app_public.organizations on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  primary key (organization_id, id)
);
alter table app_public.boards enable row level security, force row level security;
create policy select_own on app_public.boards for select to hedgerow_tenant using (${boards});
create policy insert_own on app_public.boards for insert to hedgerow_tenant with check (${writers});
create policy update_own on app_public.boards for update to hedgerow_tenant using (${writers});
create policy delete_own on app_public.boards for delete to hedgerow_tenant using (${writers});
grant select, insert (name), update (name), delete on app_public.boards to hedgerow_tenant;

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  body text not null,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy own on app_public.notes to hedgerow_tenant using (${notes}) with check (${ofUser});
grant select, insert (body), update (body), delete on app_public.notes to hedgerow_tenant;`;

test('the identity statements refuse, and every weakening of them is detected', async () => {
  const { attempts, controls, mutants } = await proveIdentityStatements(db.adminUrl, true);
  expect(attempts.filter(({ outcome }) => outcome !== 'held')).toEqual([]);
  expect(controls.filter(({ works }) => !works)).toEqual([]);
  expect(mutants.length).toBeGreaterThan(8);
  expect(mutants.filter(({ outcome }) => outcome !== 'killed')).toEqual([]);
});

test('tables of organizations and of users have no leaks, and members of each kind read their organization', async () => {
  await onSchema(db, schema({}), async ({ client, catalog, seedData, isAdded }) => {
    const controls = await runControls(client, catalog, seedData, { ...roles, only: isAdded });
    expect(controls.filter(({ works }) => !works)).toEqual([]);
    for (const member of ['a viewer', 'a member', "also a member of A's"])
      expect(controls.map(({ statement }) => statement).join()).toContain(member);
    expect(await leaksFrom(attackSql(client, catalog, seedData, { ...roles, only: isAdded }))).toEqual([]);
  });
});

test.each([
  ['a viewer may insert, update and delete', { writers: ofOrganization }, 'boards', /^insert as a viewer$/],
  ['a viewer may insert, update and delete', { writers: ofOrganization }, 'boards', /^delete as a viewer$/],
  [
    'a member of two organizations reads the rows of both while acting for one',
    { boards: `${ofOrganization} or organization_id in (select app_private.all_of_mine())` },
    'boards',
    /^select as a member of two$/,
  ],
  [
    'members of an organization read the notes of a user with the same id',
    { notes: `${ofUser} or user_id = (select app_public.current_organization_id())` },
    'notes',
    /^select as a fellow member$/,
  ],
])('the prover finds a fault: %s', async (_, faults, table, attack) => {
  const leaks = await onSchema(db, schema(faults), ({ client, catalog, seedData }) =>
    leaksFrom(
      attackSql(client, catalog, seedData, { ...roles, only: (name) => name === `app_public.${table}` }),
      (leak) => attack.test(leak.attack),
    ),
  );
  expect(leaks.at(-1)?.attack).toMatch(attack);
});
