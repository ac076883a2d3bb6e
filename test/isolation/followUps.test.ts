import type { Attempt } from '../../isolation/attempt.ts';
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

const me = '(select app_public.current_user_id())';

/** A table that belongs to users, with a policy for its owners, and one for others who may read. */
const table = (name: string, columns: string, granted: string, others = 'false') => `
create table app_public.${name} (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  ${columns}
  primary key (user_id, id)
);
alter table app_public.${name} enable row level security, force row level security;
create policy read_own on app_public.${name} for select to hedgerow_tenant using (user_id = ${me} or ${others});
create policy update_own on app_public.${name} for update to hedgerow_tenant using (user_id = ${me});
create policy delete_own on app_public.${name} for delete to hedgerow_tenant using (user_id = ${me});
grant select, delete ${granted} on app_public.${name} to hedgerow_tenant;`;

const insertOwn = (name: string, condition = 'true') =>
  `create policy insert_own on app_public.${name} for insert to hedgerow_tenant with check (user_id = ${me} and ${condition});`;

/** The workspace that a user has chosen decides which documents the user reads. */
const workspaces = (condition: string) => `
${table('workspaces', 'name text not null,', ', insert (name)')} ${insertOwn('workspaces')}
${table('choices', 'workspace_id uuid,', '')}
create function app_public.switch_workspace(workspace uuid) returns void language plpgsql volatile security definer
  set search_path = '' as $$ begin
    if ${condition} then
      delete from app_public.choices where user_id = app_public.current_user_id();
      insert into app_public.choices (user_id, workspace_id) values (app_public.current_user_id(), workspace);
    end if;
  end $$;
grant execute on function app_public.switch_workspace to hedgerow_tenant;
reset role;
alter function app_public.switch_workspace owner to postgres;
set local role hedgerow_owner;
${table(
  'documents',
  'workspace_id uuid not null, body text not null,',
  ', insert (body, workspace_id)',
  `workspace_id in (select c.workspace_id from app_public.choices c where c.user_id = ${me})`,
)}
alter table app_public.documents add foreign key (user_id, workspace_id) references app_public.workspaces (user_id, id);
${insertOwn('documents')}`;

/** A user of support reads every ticket. */
const support = (grant: string) => `
${table('agents', 'is_support boolean not null default false, nick text,', grant)}
comment on column app_public.agents.is_support is '@isolation shared: support reads all tickets';
${table(
  'tickets',
  'body text not null,',
  ', insert (body), update (body)',
  `exists (select from app_public.agents a where a.user_id = ${me} and a.is_support)`,
)}
${insertOwn('tickets')}`;

/** The members of a team read its boards. */
const teams = (condition: string) => `
${table('teams', 'name text not null,', ', insert (name)')} ${insertOwn('teams')}
alter table app_public.teams add unique (id);
${table('team_members', 'team_id uuid not null references app_public.teams (id),', ', insert (id, team_id)')} ${insertOwn('team_members', condition)}
${table(
  'boards',
  'team_id uuid not null, body text not null,',
  ', insert (body, team_id)',
  `exists (select from app_public.team_members m where m.team_id = boards.team_id and m.user_id = ${me})`,
)}
alter table app_public.boards add foreign key (user_id, team_id) references app_public.teams (user_id, id);
${insertOwn('boards')}`;

const cases = [
  [
    'a user switches to any workspace',
    workspaces('true'),
    workspaces(
      'exists (select from app_public.workspaces w where w.id = workspace and w.user_id = app_public.current_user_id())',
    ),
    'call',
    /switch_workspace/,
  ],
  [
    'users make themselves support',
    support(', update (is_support, nick)'),
    support(', update (nick)'),
    'update',
    /app_public\.agents/,
  ],
  [
    'users add themselves to any team',
    teams('true'),
    teams(`exists (select from app_public.teams t where t.id = team_id and t.user_id = ${me})`),
    'insert',
    /app_public\.team_members/,
  ],
] as const;

test.each(cases)('the prover follows up and finds a fault: %s', async (_, faulty, _sound, operation, table) => {
  const isExpected = (leak: Attempt) => leak.attack === `read again after ${operation}` && table.test(leak.table);
  const leaks = await onSchema(db, faulty, ({ client, catalog, seedData, isAdded }) =>
    leaksFrom(attackSql(client, catalog, seedData, { ...roles, only: isAdded }), isExpected),
  );
  expect(leaks.filter(isExpected)).toHaveLength(1);
  expect(leaks.at(-1)?.evidence).toMatch(/^B saw what belongs to A/);
});

test.each(cases)('the sound version has no leak: %s', async (_, _faulty, sound) => {
  await onSchema(db, sound, async ({ client, catalog, seedData, isAdded }) => {
    const controls = await runControls(client, catalog, seedData, { ...roles, only: isAdded });
    expect(controls.filter(({ works, reason }) => !works && !reason)).toEqual([]);
    const leaks = await leaksFrom(attackSql(client, catalog, seedData, { ...roles, only: isAdded }));
    expect(leaks.map((leak) => `${leak.attack}: ${leak.statement} ${leak.evidence}`)).toEqual([]);
  });
});
