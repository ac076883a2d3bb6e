import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { type DatabaseReport, lintDatabase } from '../../lint/lintDatabase.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createSample } from '../support/samples.ts';

const patience = 180_000;

/** Teams with members, and boards that belong to teams. auth.uid() reads the claims through two other functions. */
const teams = `
create function auth.claims() returns text language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif("current_setting"('request.jwt.claims', true), ''))
$$;
create function auth.jwt() returns jsonb language plpgsql stable as $$ begin return auth . claims()::jsonb; end $$;
create or replace function auth.uid() returns uuid language sql stable as $$ select (auth.jwt() ->> 'sub')::uuid $$;
create table public.teams (id uuid primary key default gen_random_uuid(), name text not null);
create table public.memberships (
  team_id uuid not null references public.teams on delete cascade,
  user_id uuid not null references auth.users on delete cascade,
  role text not null default 'member',
  primary key (team_id, user_id)
);
create index on public.memberships (user_id);
create table public.boards (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references public.teams on delete cascade,
  title text not null
);
create index on public.boards (team_id);
create table public.loose_memberships (team_id uuid not null, user_id uuid not null references auth.users, primary key (team_id, user_id));
create index on public.loose_memberships (user_id);
alter table public.teams enable row level security;
alter table public.memberships enable row level security;
alter table public.boards enable row level security;
alter table public.loose_memberships enable row level security;
create policy own on public.memberships for select to authenticated using (user_id = (select auth.uid()));
create policy own on public.loose_memberships for select to authenticated using (user_id = (select auth.uid()));
create schema private;
grant usage on schema private to authenticated;
create function private.my_team_ids() returns setof uuid language sql stable security definer set search_path = ''
  as $$ select team_id from public.memberships where user_id = (select auth.uid()) $$;
create function private.my_team_array() returns uuid[] language sql stable security definer set search_path = ''
  as $$ select array_agg(team_id) from public.memberships where user_id = (select auth.uid()) $$;
create function private.my_team() returns uuid language sql stable security definer set search_path = ''
  as $$ select team_id from public.memberships where user_id = (select auth.uid()) limit 1 $$;
create function private.is_member(team uuid) returns boolean language plpgsql stable security definer set search_path = ''
  as $$ begin return exists (select from public.memberships m where m.team_id = team and m.user_id = auth.uid()); end $$;
create function private.is_open(team uuid) returns boolean language plpgsql stable set search_path = ''
  as $$ declare found boolean; begin execute concat('select ', 'true') into found; return found; end $$;
create function private.all_team_ids() returns setof uuid language sql stable security definer set search_path = ''
  as $$ select id from public.teams $$;
revoke execute on all functions in schema private from public;
grant execute on all functions in schema private to authenticated;
grant select on public.teams, public.memberships, public.loose_memberships, public.boards to authenticated;`;

async function lint(using: string, setting?: string): Promise<DatabaseReport> {
  const db = await createSample(
    'supabase',
    `${teams} create policy members on public.boards for select to authenticated using (${using});`,
  );
  try {
    return await withClient(db.adminUrl, (client) =>
      lintDatabase(client, { schemas: ['public'], roles: ['authenticated'], setting }),
    );
  } finally {
    await db.drop();
  }
}

/**
 * Returns the verdict on each condition, as the only policy of a table like boards: `error`, `undecided` or `accepted`.
 */
async function verdicts(conditions: readonly string[], sql = ''): Promise<[string, string][]> {
  const names = conditions.map((_, index) => `boards_${index + 1}`);
  const tables = conditions.map((using, index) => {
    const table = `public.${names[index]}`;
    return `create table ${table} (like public.boards including all, foreign key (team_id) references public.teams);
      alter table ${table} enable row level security;
      grant select on ${table} to authenticated;
      create policy p on ${table} for select to authenticated using (${using.replaceAll('boards.', `${names[index]}.`)});`;
  });
  const db = await createSample('supabase', [teams, sql, ...tables].join('\n'));
  try {
    const { findings, undecided } = await withClient(db.adminUrl, (client) =>
      lintDatabase(client, { schemas: ['public'], roles: ['authenticated'] }),
    );
    return conditions.map((using, index) => {
      const object = `policy p on public.${names[index]}`;
      if (findings.some((one) => one.level === 'error' && one.object === object)) return [using, 'error'];
      return [using, undecided.some(({ about }) => about === object) ? 'undecided' : 'accepted'];
    });
  } finally {
    await db.drop();
  }
}

const all = (conditions: readonly string[], verdict: string) => conditions.map((one) => [one, verdict]);

const errorsIn = ({ findings }: DatabaseReport) =>
  findings.filter(({ level }) => level === 'error').map(({ rule, object }) => `${rule}: ${object}`);

const policy = 'policy members on public.boards';
const mine = 'm.user_id = (select auth.uid())';

test.each([
  `team_id in (select team_id from public.memberships m where ${mine})`,
  `team_id in (select m.team_id from public.memberships m where ${mine} and m.role in ('owner', 'admin'))`,
  `exists (select 1 from public.memberships m where m.team_id = boards.team_id and m.user_id = auth.uid())`,
  `(select auth.uid()) in (select user_id from public.memberships m where m.team_id = boards.team_id)`,
  `auth.uid() = any (select user_id from public.memberships m where m.team_id = boards.team_id)`,
  `team_id in (select t.id from public.teams t join public.memberships m on m.team_id = t.id where ${mine})`,
  `team_id in (select m.team_id from public.memberships m
    where m.user_id = (current_setting('request.jwt.' || 'Claims', true)::jsonb ->> 'sub')::uuid)`,
  `team_id = any (array(select m.team_id from public.memberships m where ${mine}))`,
  `team_id = (select m.team_id from public.memberships m where ${mine} limit 1)`,
])(
  'the linter accepts a policy by membership: %s',
  async (using) => {
    const report = await lint(using);
    expect(report.scope.setting).toBe('request.jwt.claims');
    expect(errorsIn(report)).toEqual([]);
    expect(report.undecided).toEqual([]);
  },
  patience,
);

test.each([
  ['team_id in (select private.my_team_ids())', 'private.my_team_ids()'],
  ['team_id in (select t from private.my_team_ids() t)', 'private.my_team_ids()'],
  ['team_id = any (array(select private.my_team_ids()))', 'private.my_team_ids()'],
  ['exists (select from private.my_team_ids() t where t = boards.team_id)', 'private.my_team_ids()'],
  ['team_id = any (private.my_team_array())', 'private.my_team_array()'],
  ['team_id = private.my_team()', 'private.my_team()'],
  ['(select private.is_member(team_id))', 'private.is_member()'],
  ['private.is_open(team_id)', 'private.is_open()'],
  [
    `team_id in (select team_id from public.loose_memberships m where ${mine})`,
    'an expression that no rule understands',
  ],
  [
    `team_id in (select team_id from public.memberships m where ${mine} union select team_id from public.memberships m where ${mine})`,
    'an expression that no rule understands',
  ],
  ["auth.uid()::text = split_part(title, '/', 1)", 'an expression that no rule understands'],
  ["auth.uid()::text = (string_to_array(title, '/'))[1]", 'an expression that no rule understands'],
  ['array[team_id] @> array[auth.uid()]', 'an expression that no rule understands'],
  [
    "team_id::text = any (string_to_array(auth.jwt() -> 'app_metadata' ->> 'teams', ','))",
    'an expression that no rule understands',
  ],
  ['team_id in (select team_id from public.memberships)', 'an expression that no rule understands'],
  [
    `team_id in (select (jsonb_array_elements_text(auth.jwt() -> 'app_metadata' -> 'teams'))::uuid)`,
    'an expression that no rule understands',
  ],
])(
  'a policy that the linter only trusts is reported as undecided, not as an error: %s',
  async (using, reason) => {
    const report = await lint(using);
    expect(errorsIn(report)).toEqual([]);
    expect(report.undecided).toEqual([{ about: policy, reason: expect.stringContaining(reason) }]);
  },
  patience,
);

test.each([
  'exists (select from public.memberships m where m.user_id = auth.uid())',
  'auth.uid() in (select user_id from public.memberships)',
  'team_id in (select private.all_team_ids())',
  'team_id in (select t from private.all_team_ids() t)',
  'exists (select from private.my_team_ids())',
  "team_id::text = any (string_to_array(auth.jwt() ->> 'role', ','))",
  "coalesce(nullif(title, 'x'), auth.uid()::text) = auth.uid()::text",
  'title !~ auth.uid()::text',
  `private.is_member(team_id) or title = 'public'`,
  `(select count(*) from public.memberships m where ${mine}) > 0`,
])(
  'a policy that exposes rows of other teams is an error: %s',
  async (using) => {
    expect(errorsIn(await lint(using))).toEqual([`policy-without-tenant: ${policy}`]);
  },
  patience,
);

/** Tables without policies, so none of their policies restricts a subquery. */
const unprotected = `
create table public.accounts (id uuid primary key, auth_id uuid not null references auth.users);
create table public.members (
  id uuid primary key, account_id uuid not null references public.accounts, team_id uuid not null references public.teams,
  user_id uuid not null references auth.users, role text not null default 'member', unique (team_id, user_id)
);
create table public.links (id uuid primary key, board_id uuid not null, team_id uuid not null references public.teams);
grant select on public.accounts, public.members, public.links to authenticated;`;

test(
  'a condition on the tenant restricts nothing if no condition joins its table with the row',
  async () => {
    const holes = [
      `team_id in (select t.id from public.teams t join public.members m on true where ${mine})`,
      `team_id in (select t.id from public.teams t, public.members m where ${mine})`,
      `team_id in (select t.id from public.teams t cross join public.members m where ${mine} and t.name <> '')`,
      `exists (select from public.teams t, public.members m where t.id = boards.team_id and ${mine})`,
      `exists (select from public.members o, public.members m where o.team_id = boards.team_id and ${mine})`,
      `exists (select from public.members o where o.team_id = boards.team_id
        and exists (select from public.members m where ${mine}))`,
      `team_id = any (array(select t.id from public.teams t, public.members m where ${mine}))`,
      `team_id = (select t.id from public.teams t, public.members m where ${mine} limit 1)`,
      `auth.uid() in (select m.user_id from public.members m, public.teams t where t.id = boards.team_id)`,
      `exists (select from public.teams t where t.id = boards.team_id
        and t.id in (select t.id from public.teams t, public.members m where ${mine}))`,
      `exists (select from (select * from public.members m where ${mine}) m, public.teams t where t.id = boards.team_id)`,
      `exists (select auth.uid() from public.teams t where t.id = boards.team_id)`,
      `exists (select from public.teams t left join public.members m on ${mine} where t.id = boards.team_id)`,
    ];
    expect(await verdicts(holes, unprotected)).toEqual(all(holes, 'error'));
    // These tables are joined or have policies, but neither decides whose row it is.
    const doubtful = [
      `exists (select from public.members o join public.members m on m.role = o.role
        where o.team_id = boards.team_id and ${mine})`,
      `exists (select from public.members o join public.members m on m.team_id <> o.team_id
        where o.team_id = boards.team_id and ${mine})`,
      `exists (select from public.members o join public.members m on m.user_id = auth.uid() or o.user_id = auth.uid()
        where o.team_id = boards.team_id)`,
      `team_id in (select third.team_id from public.members third join public.members o on o.user_id = third.user_id
        join public.members m on m.team_id = o.team_id where ${mine})`,
      `team_id in (select o.team_id from public.members o where o.user_id in (
        select c.user_id from public.members c where c.team_id in (select m.team_id from public.members m where ${mine})))`,
      `exists (select from public.members m where ${mine} and (m.team_id = boards.team_id or m.role = 'owner'))`,
      `exists (select from public.teams t where t.id = boards.team_id
        and t.id in (select m.team_id from public.memberships m))`,
      `exists (select from public.memberships o, public.memberships m where o.team_id = boards.team_id and ${mine})`,
      `exists (select from public.teams t left join public.members m on m.team_id = t.id and ${mine}
        where t.id = boards.team_id)`,
    ];
    expect(await verdicts(doubtful, unprotected)).toEqual(all(doubtful, 'undecided'));
  },
  patience,
);

test(
  'the linter accepts rows that equalities join with rows of the tenant',
  async () => {
    const sound = [
      `team_id in (select t.id from public.teams t join public.members m on m.team_id = t.id where ${mine})`,
      `team_id in (select t.id from public.teams t, public.members m where ${mine} and t.id = m.team_id)`,
      `exists (select from public.teams t, public.members m where t.id = boards.team_id and m.team_id = t.id and ${mine})`,
      `exists (select from public.teams t, public.members m
        where t.id = boards.team_id and m.team_id = boards.team_id and ${mine})`,
      `exists (select from public.links l join public.members m using (team_id) where l.id = boards.id and ${mine})`,
      `exists (select from public.links l join public.teams t on t.id = l.team_id join public.members m on t.id = m.team_id
        where l.id = boards.id and ${mine})`,
      `exists (select from public.members o join public.members m on o.user_id = m.user_id
        where o.team_id = boards.team_id and ${mine})`,
      `team_id in (select m.team_id from public.members m join public.accounts a on a.id = m.account_id
        where a.auth_id = auth.uid())`,
      `exists (select from public.teams t where t.id = boards.team_id
        and exists (select from public.members m where m.team_id = t.id and ${mine}))`,
      `team_id in (select t.id from public.teams t where t.id in (select m.team_id from public.members m where ${mine}))`,
      `auth.uid() in (select m.user_id from public.members m join public.teams t on t.id = m.team_id where t.id = boards.team_id)`,
    ];
    expect(await verdicts(sound, unprotected)).toEqual(all(sound, 'accepted'));
  },
  patience,
);

test(
  'a policy may compare the value of a subquery that finds only rows of the tenant’s teams',
  async () => {
    const role = `(select m.role from public.memberships m where m.team_id = boards.team_id and m.user_id = auth.uid())`;
    const sound = [
      `team_id::text = (auth.jwt() #>> array['app_metadata', 'team'])`,
      `${role} = 'owner'`,
      `${role} in ('owner', 'admin')`,
      `${role} <> 'guest'`,
      `${role} is not null`,
      `coalesce(${role} = 'owner', false)`,
      `case ${role} when 'owner' then true else false end`,
      `(select m.role = 'owner' from public.memberships m where m.team_id = boards.team_id and m.user_id = auth.uid())`,
    ];
    expect(await verdicts(sound)).toEqual(all(sound, 'accepted'));
    const holes = [
      `team_id::text = (auth.jwt() #>> array['user_metadata', 'team'])`,
      `${role} is null`,
      `coalesce(${role}, 'guest') = 'guest'`,
      `${role} is distinct from 'owner'`,
      `(${role} = 'owner') is not true`,
      `(select m.role from public.memberships m where ${mine} limit 1) = 'owner'`,
      `(select m.role from public.teams t, public.members m where t.id = boards.team_id and ${mine} limit 1) = 'owner'`,
    ];
    expect(await verdicts(holes, unprotected)).toEqual(all(holes, 'error'));
  },
  patience,
);

test(
  'an expression of the row and the tenant that no rule understands is undecided, not an error',
  async () => {
    const loose = `from public.loose_memberships m where m.team_id = boards.team_id and m.user_id = auth.uid()`;
    const doubtful = [
      `(select count(*) ${loose}) > 0`,
      `(select count(*) from public.memberships m where m.team_id = boards.team_id and m.user_id = auth.uid()) > 0`,
      `coalesce((select count(*) ${loose}), 0) <> 0`,
      `not ((select count(*) ${loose}) = 0)`,
      `(select max(m.team_id::text) ${loose}) is not null`,
      `(select bool_or(true) ${loose})`,
      `cardinality(array(select m.user_id ${loose})) > 0`,
      `title = auth.jwt() ->> concat('te', 'am')`,
      `starts_with(title, auth.uid()::text || '/')`,
      `jsonb_exists(auth.jwt() -> 'app_metadata' -> 'teams', team_id::text)`,
      `auth.jwt() -> 'app_metadata' -> 'teams' ? team_id::text`,
      `(auth.jwt() -> 'app_metadata' -> 'teams' -> team_id::text) is not null`,
      `(auth.jwt() -> 'app_metadata' -> 'teams' ->> team_id::text) = 'owner'`,
      `(auth.jwt() -> 'app_metadata' -> 'teams' ->> team_id::text)::boolean`,
      `array_position(array(select m.team_id from public.loose_memberships m where ${mine}), team_id) is not null`,
      `array_position(private.my_team_array(), team_id) is not null`,
      `array_position(string_to_array(auth.jwt() ->> 'teams', ','), team_id::text) is not null`,
      `strpos(auth.jwt() ->> 'teams', team_id::text) > 0`,
      `position(team_id::text in auth.jwt() ->> 'teams') <> 0`,
      `case strpos(auth.jwt() ->> 'teams', team_id::text) when 1 then true else false end`,
      `private.may_see(team_id, auth.uid())`,
      `private.role_in(team_id) in ('owner', 'admin')`,
      `private.role_in(team_id) is not null`,
      `private.is_member(team_id) = true`,
      `exists (select from jsonb_array_elements_text(auth.jwt() -> 'teams') t where t.value = boards.team_id::text)`,
      `exists (select from unnest(private.my_team_array()) t where t = boards.team_id)`,
      `team_id in (select unnest(private.my_team_array()))`,
      `exists (with m as (select team_id from public.loose_memberships m where ${mine}) select from m where m.team_id = boards.team_id)`,
      `auth.uid() = (select t.created_by from public.created_teams t where t.id = boards.team_id)`,
    ];
    const sql = `create function private.may_see(uuid, uuid) returns boolean language sql stable as 'select true';
      create function private.role_in(team uuid) returns text language sql stable security definer set search_path = ''
        as $$ select m.role from public.memberships m where m.team_id = team and m.user_id = auth.uid() $$;
      create table public.created_teams (id uuid primary key, created_by uuid);
      create function private.my_role() returns text language sql stable as $$ select auth.jwt() ->> 'role' $$;
      grant select on public.created_teams to authenticated;
      grant execute on all functions in schema private to authenticated;`;
    expect(await verdicts(doubtful, sql)).toEqual(all(doubtful, 'undecided'));
    const holes = [
      `starts_with(title, 'public/')`,
      `strpos(title, 'public') > 0`,
      `strpos(auth.jwt() ->> 'role', title) > 0`,
      `(team_id = auth.uid()) is not null`,
      `team_id <> auth.uid()`,
      `private.my_role() = 'owner'`,
      `private.is_member(team_id) = false`,
      `(title = 'x') = true`,
      `title = 'public' or strpos(auth.jwt() ->> 'teams', team_id::text) > 0`,
      `(select count(*) from public.teams t where t.id = boards.team_id) > 0`,
    ];
    expect(await verdicts(holes, sql)).toEqual(all(holes, 'error'));
  },
  patience,
);

test(
  'keys of tables that belong to a team are not errors, even if a column names the creator of a row',
  async () => {
    const sql = `
    create table public.teams (id uuid primary key default gen_random_uuid(), name text not null, slug text unique, created_by uuid references auth.users default auth.uid());
    create table public.memberships (id bigint generated always as identity primary key, team_id uuid not null references public.teams on delete cascade, user_id uuid not null references auth.users on delete cascade, role text not null default 'member', unique (team_id, user_id));
    create index on public.memberships (user_id);
    create table public.boards (id uuid primary key default gen_random_uuid(), team_id uuid not null references public.teams on delete cascade, created_by uuid references auth.users default auth.uid(), title text not null, unique (team_id, title));
    create table public.tasks (id uuid primary key default gen_random_uuid(), board_id uuid not null references public.boards on delete cascade, user_id uuid references auth.users on delete set null default auth.uid(), assignee uuid references auth.users, title text);
    create index on public.boards (team_id);
    alter table public.teams enable row level security; alter table public.memberships enable row level security; alter table public.boards enable row level security;alter table public.tasks enable row level security;
    create policy own on public.memberships for select to authenticated using (user_id = (select auth.uid()));
    create policy mine on public.teams for select to authenticated using (id in (select team_id from public.memberships where user_id = (select auth.uid())));
    create policy b1 on public.boards for all to authenticated using (team_id in (select team_id from public.memberships where user_id = (select auth.uid())));
    create policy t1 on public.tasks for all to authenticated using (exists (select from public.boards b join public.memberships m using (team_id) where b.id = tasks.board_id and m.user_id = (select auth.uid())));
    create policy t2 on public.tasks for select to authenticated using (board_id in (select b.id from public.boards b where b.team_id in (select m.team_id from public.memberships m where m.user_id = auth.uid())));
    grant select on public.teams, public.memberships to authenticated; grant select, insert, update, delete on public.boards, public.tasks to authenticated;`;
    const db = await createSample('supabase', sql);
    try {
      const report = await withClient(db.adminUrl, (client) =>
        lintDatabase(client, { schemas: ['public'], roles: ['authenticated'] }),
      );
      expect(errorsIn(report)).toEqual([]);
      expect(report.undecided).toEqual([]);
      expect(report.findings).toContainEqual(
        expect.objectContaining({ rule: 'owner-column-missing', object: 'public.boards' }),
      );
    } finally {
      await db.drop();
    }
  },
  patience,
);

test(
  'the command exits with 2 for an undecided policy and prints the reason',
  async () => {
    const db = await createSample(
      'supabase',
      `${teams} create policy members on public.boards for select to authenticated using (private.is_member(team_id));`,
    );
    const run = (...args: string[]) =>
      new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
        const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
        const child = execFile(
          process.execPath,
          [
            ...[join(root, 'dba', 'cli.ts'), 'lint', '--database-url', db.adminUrl],
            ...['--schema', 'public', '--role', 'authenticated', ...args],
          ],
          { env: { PATH, HOME, NODE_COMPILE_CACHE } },
          (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
        );
      });
    try {
      const words = await run();
      expect(words.code).toBe(2);
      expect(words.stdout).toMatch(
        /could not be judged:\n.*policy members on public\.boards: .*private\.is_member\(\)/,
      );
      expect(words.stdout).not.toContain('✓');
      expect(await run('--format', 'sarif')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('policy members on public.boards'),
      });
      await db.asAdmin('drop policy members on public.boards');
      expect(await run('--setting', 'request.jwt.claims')).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('✓'),
      });
      // Without a setting that identifies the tenant, no policy can be judged.
      await db.asAdmin(`drop policy own on public.memberships; drop policy own on public.loose_memberships;
        drop policy "Profiles are for their user" on public.profiles; drop policy "Users update their profile" on public.profiles;
        drop policy "Users have projects" on public.projects; drop policy "Users have documents" on public.documents;`);
      expect(await run()).toMatchObject({ code: 2, stdout: expect.stringContaining('no policy reads a setting') });
    } finally {
      await db.drop();
    }
  },
  patience,
);
