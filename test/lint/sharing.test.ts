import { lintDatabase } from '../../lint/lintDatabase.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createSample } from '../support/samples.ts';

/** Schemas in which several users share rows. `@.` stands for the schema of the case. */
interface Case {
  readonly name: string;
  readonly sound: string;
  readonly holed: string;
  /** The finding in the holed schema, as `<rule>: <object>`. */
  readonly finding: string;
}

const me = '(select auth.uid())';

/** Teams, memberships without a way to write them, and documents of teams. */
const teams = `
  create table @.teams (id uuid primary key default gen_random_uuid(), name text not null);
  create table @.members (
    team_id uuid not null references @.teams on delete cascade,
    user_id uuid not null references auth.users on delete cascade,
    role text not null default 'member',
    primary key (team_id, user_id)
  );
  create index on @.members (user_id);
  create table @.documents (
    id uuid primary key default gen_random_uuid(),
    team_id uuid not null references @.teams on delete cascade,
    title text not null
  );
  create index on @.documents (team_id);
  alter table @.teams enable row level security;
  alter table @.members enable row level security;
  alter table @.documents enable row level security;
  -- Without a subquery, because policies for writes read this table.
  create policy own on @.members for select to authenticated using (user_id = auth.uid());
  grant select on @.teams, @.members to authenticated;
  grant select, update (title), delete on @.documents to authenticated;`;

const byMembership = `
  create policy of_team on @.documents for all to authenticated
    using (exists (select from @.members m where m.team_id = documents.team_id and m.user_id = ${me}));`;

/** Documents of users, with readers of the owner's choice. */
const documents = `
  create table @.documents (
    owner_id uuid not null default auth.uid() references auth.users on delete cascade,
    id uuid primary key default gen_random_uuid(),
    title text not null,
    reviewer_id uuid references auth.users on delete set null,
    readers uuid[] not null default '{}'
  );
  create index on @.documents (owner_id);
  alter table @.documents enable row level security;
  create policy insert_own on @.documents for insert to authenticated with check (owner_id = ${me});
  create policy update_own on @.documents for update to authenticated using (owner_id = ${me}) with check (owner_id = ${me});
  grant select, insert (title), update (title) on @.documents to authenticated;`;

const select = (table: string, using: string) =>
  `create policy read on @.${table} for select to authenticated using (${using});`;

const helper = (name: string, returns: string, body: string, how = 'stable security definer') => `
  create function @.${name} returns ${returns} language sql ${how} set search_path = '' as $$ ${body} $$;`;

const cases: readonly Case[] = [
  {
    name: 'a membership that any user may give themselves',
    sound: `${teams} ${byMembership}
      create policy invite on @.members for insert to authenticated with check (exists (
        select from @.members m where m.team_id = members.team_id and m.user_id = ${me} and m.role = 'owner'));
      grant insert on @.members to authenticated;`,
    holed: `${teams} ${byMembership}
      create policy invite on @.members for insert to authenticated with check (user_id = ${me} or exists (
        select from @.members m where m.team_id = members.team_id and m.user_id = ${me} and m.role = 'owner'));
      grant insert on @.members to authenticated;`,
    finding: 'self-granted-access: policy invite on @.members',
  },
  {
    name: 'a membership that a loose check of a policy for all commands lets in',
    sound: `${teams} ${byMembership}
      alter table @.teams add column leader_id uuid not null references auth.users;
      create policy lead on @.members for all to authenticated
        using (team_id in (select t.id from @.teams t where t.leader_id = ${me}))
        with check (team_id in (select t.id from @.teams t where t.leader_id = ${me}));
      create policy led on @.teams for select to authenticated using (leader_id = ${me});
      grant insert on @.members to authenticated;`,
    holed: `${teams} ${byMembership}
      alter table @.teams add column leader_id uuid not null references auth.users;
      create policy lead on @.members for all to authenticated
        using (team_id in (select t.id from @.teams t where t.leader_id = ${me})) with check (user_id = ${me});
      create policy led on @.teams for select to authenticated using (leader_id = ${me});
      grant insert on @.members to authenticated;`,
    finding: 'self-granted-access: policy lead on @.members',
  },
  {
    name: 'a membership that a user may move to another team',
    sound: `${teams} ${byMembership}
      create policy change on @.members for update to authenticated using (user_id = ${me}) with check (user_id = ${me});
      alter table @.members add column muted boolean not null default false;
      grant update (muted) on @.members to authenticated;`,
    holed: `${teams} ${byMembership}
      create policy change on @.members for update to authenticated using (user_id = ${me}) with check (user_id = ${me});
      grant update (team_id) on @.members to authenticated;`,
    finding: 'self-granted-access: policy change on @.members',
  },
  {
    name: 'a self-granted membership that a helper trusts',
    sound: `${teams} ${helper('my_teams()', 'setof uuid', `select team_id from @.members where user_id = auth.uid()`)}
      ${select('documents', 'team_id in (select @.my_teams())')}
      create policy leave on @.members for delete to authenticated using (user_id = ${me});
      grant delete on @.members to authenticated;`,
    holed: `${teams} ${helper('my_teams()', 'setof uuid', `select team_id from @.members where user_id = auth.uid()`)}
      ${select('documents', 'team_id in (select @.my_teams())')}
      create policy enter on @.members for insert to authenticated with check (user_id = ${me});
      grant insert on @.members to authenticated;`,
    finding: 'self-granted-access: policy enter on @.members',
  },
  {
    name: 'a role that members may set in their own membership',
    sound: `${teams} ${byMembership}
      create policy rename on @.teams for update to authenticated using (exists (
        select from @.members m where m.team_id = teams.id and m.user_id = ${me} and m.role = 'owner'));
      create policy change on @.members for update to authenticated using (exists (
        select from @.members m where m.team_id = members.team_id and m.user_id = ${me} and m.role = 'owner'));
      grant update (role) on @.members to authenticated; grant update (name) on @.teams to authenticated;`,
    holed: `${teams} ${byMembership}
      create policy rename on @.teams for update to authenticated using (exists (
        select from @.members m where m.team_id = teams.id and m.user_id = ${me} and m.role = 'owner'));
      create policy change on @.members for update to authenticated using (user_id = ${me}) with check (user_id = ${me});
      grant update (role) on @.members to authenticated; grant update (name) on @.teams to authenticated;`,
    finding: 'self-granted-access: policy change on @.members',
  },
  {
    name: 'a flag that users may set in their own profile',
    sound: `create table @.accounts (id uuid primary key references auth.users, nickname text, is_support boolean not null default false);
      alter table @.accounts enable row level security;
      create policy own on @.accounts to authenticated using (id = ${me}) with check (id = ${me});
      grant select, update (nickname) on @.accounts to authenticated;
      ${documents} ${select('documents', `owner_id = ${me}`)}`,
    holed: `create table @.accounts (id uuid primary key references auth.users, nickname text, is_support boolean not null default false);
      alter table @.accounts enable row level security;
      create policy own on @.accounts to authenticated using (id = ${me}) with check (id = ${me});
      grant select, update on @.accounts to authenticated;
      ${documents} ${select('documents', `owner_id = ${me} or exists (select from @.accounts a where a.id = ${me} and a.is_support)`)}`,
    finding: 'self-granted-access: policy own on @.accounts',
  },
  {
    name: 'an invitation of oneself, where helpers look up memberships as the owner of forced tables',
    sound: `${teams}
      ${helper('my_teams()', 'setof uuid', 'select m.team_id from @.members m where m.user_id = auth.uid()')}
      ${helper('my_led_teams()', 'setof uuid', "select m.team_id from @.members m where m.user_id = auth.uid() and m.role = 'owner'")}
      alter table @.members force row level security;
      drop policy own on @.members;
      create policy of_owner on @.members for select to current_user using (true);
      create policy of_team on @.members for select to authenticated using (team_id in (select @.my_teams()));
      create policy invite on @.members for insert to authenticated with check (team_id in (select @.my_led_teams()));
      create policy remove on @.members for delete to authenticated
        using (user_id = ${me} or team_id in (select @.my_led_teams()));
      ${select('teams', 'id in (select @.my_teams())')} ${select('documents', 'team_id in (select @.my_teams())')}
      grant insert, delete on @.members to authenticated;`,
    holed: `${teams}
      ${helper('my_teams()', 'setof uuid', 'select m.team_id from @.members m where m.user_id = auth.uid()')}
      ${helper('my_led_teams()', 'setof uuid', "select m.team_id from @.members m where m.user_id = auth.uid() and m.role = 'owner'")}
      alter table @.members force row level security;
      drop policy own on @.members;
      create policy of_owner on @.members for select to current_user using (true);
      create policy of_team on @.members for select to authenticated using (team_id in (select @.my_teams()));
      create policy invite on @.members for insert to authenticated
        with check (user_id = ${me} or team_id in (select @.my_led_teams()));
      ${select('teams', 'id in (select @.my_teams())')} ${select('documents', 'team_id in (select @.my_teams())')}
      grant insert, delete on @.members to authenticated;`,
    finding: 'self-granted-access: policy invite on @.members',
  },
  {
    name: 'a room that any user may enter',
    sound: `create table @.rooms (id uuid primary key default gen_random_uuid(), created_by uuid not null default auth.uid());
      create table @.participants (room_id uuid not null references @.rooms, user_id uuid not null, primary key (room_id, user_id));
      create table @.messages (id uuid primary key default gen_random_uuid(), room_id uuid not null references @.rooms, sender_id uuid not null default auth.uid(), body text);
      alter table @.rooms enable row level security; alter table @.participants enable row level security; alter table @.messages enable row level security;
      create policy own on @.participants for select to authenticated using (user_id = ${me});
      create policy own on @.rooms to authenticated using (created_by = ${me});
      create policy enter on @.participants for insert to authenticated
        with check (exists (select from @.rooms r where r.id = participants.room_id and r.created_by = ${me}));
      create policy write on @.messages for insert to authenticated with check (sender_id = ${me}
        and room_id in (select p.room_id from @.participants p where p.user_id = ${me}));
      ${select('messages', `exists (select from @.participants p where p.room_id = messages.room_id and p.user_id = ${me})`)}
      grant select, insert on @.rooms, @.participants, @.messages to authenticated;`,
    holed: `create table @.rooms (id uuid primary key default gen_random_uuid(), created_by uuid not null default auth.uid());
      create table @.participants (room_id uuid not null references @.rooms, user_id uuid not null, primary key (room_id, user_id));
      create table @.messages (id uuid primary key default gen_random_uuid(), room_id uuid not null references @.rooms, sender_id uuid not null default auth.uid(), body text);
      alter table @.rooms enable row level security; alter table @.participants enable row level security; alter table @.messages enable row level security;
      create policy own on @.participants for select to authenticated using (user_id = ${me});
      create policy own on @.rooms to authenticated using (created_by = ${me});
      create policy enter on @.participants for insert to authenticated with check (user_id = ${me});
      create policy write on @.messages for insert to authenticated with check (sender_id = ${me}
        and room_id in (select p.room_id from @.participants p where p.user_id = ${me}));
      ${select('messages', `exists (select from @.participants p where p.room_id = messages.room_id and p.user_id = ${me})`)}
      grant select, insert on @.rooms, @.participants, @.messages to authenticated;`,
    finding: 'self-granted-access: policy enter on @.participants',
  },
  {
    name: 'a collaborator who adds themselves',
    sound: `${documents}
      create table @.collaborators (document_id uuid not null references @.documents on delete cascade, user_id uuid not null, may_edit boolean not null default false, primary key (document_id, user_id));
      alter table @.collaborators enable row level security; grant select, insert, update on @.collaborators to authenticated;
      ${helper('owns(document uuid)', 'boolean', 'select exists (select from @.documents d where d.id = document and d.owner_id = auth.uid())')}
      ${select('documents', `owner_id = ${me} or exists (select from @.collaborators c where c.document_id = documents.id and c.user_id = ${me})`)}
      create policy edit on @.documents for update to authenticated using (exists (select from @.collaborators c where c.document_id = documents.id and c.user_id = ${me} and c.may_edit));
      create policy own on @.collaborators for select to authenticated using (user_id = ${me});
      create policy invite on @.collaborators for insert to authenticated with check (@.owns(document_id));
      create policy change on @.collaborators for update to authenticated using (@.owns(document_id)) with check (@.owns(document_id));`,
    holed: `${documents}
      create table @.collaborators (document_id uuid not null references @.documents on delete cascade, user_id uuid not null, may_edit boolean not null default false, primary key (document_id, user_id));
      alter table @.collaborators enable row level security; grant select, insert, update on @.collaborators to authenticated;
      ${helper('owns(document uuid)', 'boolean', 'select exists (select from @.documents d where d.id = document and d.owner_id = auth.uid())')}
      ${select('documents', `owner_id = ${me} or exists (select from @.collaborators c where c.document_id = documents.id and c.user_id = ${me})`)}
      create policy edit on @.documents for update to authenticated using (exists (select from @.collaborators c where c.document_id = documents.id and c.user_id = ${me} and c.may_edit));
      create policy own on @.collaborators for select to authenticated using (user_id = ${me});
      create policy invite on @.collaborators for insert to authenticated with check (@.owns(document_id));
      create policy change on @.collaborators for update to authenticated using (user_id = ${me}) with check (user_id = ${me});`,
    finding: 'self-granted-access: policy change on @.collaborators',
  },
  {
    name: 'an unqualified column, which the subquery compares with itself',
    sound: `${teams} ${select('documents', `exists (select from @.members m where m.team_id = documents.team_id and m.user_id = ${me})`)}`,
    holed: `${teams} ${select('documents', `exists (select from @.members m where m.team_id = team_id and m.user_id = ${me})`)}`,
    finding: 'compared-with-itself: policy read on @.documents',
  },
  {
    name: 'a helper that trusts a setting that a function sets',
    sound: `${teams} ${helper('is_member(team uuid)', 'boolean', `select exists (select from @.members m where m.team_id = team and m.user_id = auth.uid())`)}
      ${select('documents', '@.is_member(team_id)')}
      ${helper('set_theme(theme text)', 'text', `select set_config('app.theme', theme, true)`, 'volatile')}`,
    holed: `${teams} ${helper('is_member(team uuid)', 'boolean', `select current_setting('app.support', true) = 'on' or exists (select from @.members m where m.team_id = team and m.user_id = auth.uid())`)}
      ${select('documents', '@.is_member(team_id)')}
      ${helper('set_support(mode text)', 'text', `select set_config('app.support', mode, true)`, 'volatile')}`,
    finding: 'identity-changed-by-function: function @.set_support(text)',
  },
  {
    name: 'a helper without arguments that is true for every user',
    sound: `${documents} ${helper('is_signed_in()', 'boolean', 'select auth.uid() is not null', 'stable')}
      ${select('documents', `(select @.is_signed_in()) and owner_id = ${me}`)}`,
    holed: `${documents} ${helper('is_signed_in()', 'boolean', 'select auth.uid() is not null', 'stable')}
      ${select('documents', '(select @.is_signed_in())')}`,
    finding: 'policy-without-tenant: policy read on @.documents',
  },
  {
    name: 'a column of ids that contains the user',
    sound: `${documents} ${select('documents', `owner_id = ${me} or ${me} = any (readers)`)}
      comment on column @.documents.readers is '@isolation shared: the owner names the readers';`,
    holed: `${documents} ${select('documents', `owner_id = ${me} or ${me} = any (readers)`)}`,
    finding: 'policy-by-another-column: policy read on @.documents',
  },
  {
    name: 'a column of ids, where no policy asks for the owner',
    sound: `create table @.albums (owner_id uuid not null references auth.users, id uuid primary key, editors uuid[]);
      create index on @.albums (owner_id);
      alter table @.albums enable row level security; grant select, update (editors) on @.albums to authenticated;
      create policy own on @.albums to authenticated using (owner_id = ${me}) with check (owner_id = ${me});`,
    holed: `create table @.albums (owner_id uuid not null references auth.users, id uuid primary key, editors uuid[]);
      create index on @.albums (owner_id);
      alter table @.albums enable row level security; grant select, update (editors) on @.albums to authenticated;
      create policy own on @.albums to authenticated using (${me} = any (editors)) with check (${me} = any (editors));`,
    finding: 'policy-by-another-column: policy own on @.albums',
  },
  {
    name: 'another column than the owner that equals the user',
    sound: `${documents} ${select('documents', `owner_id = ${me} or reviewer_id = ${me}`)}
      comment on column @.documents.reviewer_id is '@isolation shared: the owner names a reviewer';`,
    holed: `${documents} ${select('documents', `reviewer_id = ${me}`)}`,
    finding: 'policy-by-another-column: policy read on @.documents',
  },
  {
    name: 'another column that a policy for updates compares',
    sound: `${documents} ${select('documents', `owner_id = ${me}`)}`,
    holed: `${documents} ${select('documents', `owner_id = ${me}`)}
      create policy review on @.documents for update to authenticated using (reviewer_id = ${me}) with check (reviewer_id = ${me});
      comment on column @.documents.reviewer_id is '@isolation shared: the owner names a reviewer';`,
    finding: 'policy-by-another-column: policy review on @.documents',
  },
  {
    name: 'a post that is not published',
    sound: `${documents} alter table @.documents add column published_at timestamptz, add column state text not null default 'draft';
      comment on table @.documents is E'@isolation owner: owner_id\\n@isolation read: when published_at <= now() and state in (''open'', ''closed'')';
      ${select('documents', `owner_id = ${me} or (published_at <= now() and state = 'open')`)}`,
    holed: `${documents} alter table @.documents add column published_at timestamptz, add column state text not null default 'draft';
      comment on table @.documents is E'@isolation owner: owner_id\\n@isolation read: when published_at <= now() and state in (''open'', ''closed'')';
      ${select('documents', `owner_id = ${me} or state = 'open'`)}`,
    finding: 'policy-without-tenant: policy read on @.documents',
  },
  {
    name: 'a published post that others may write',
    sound: `${documents} alter table @.documents add column published boolean not null default false;
      comment on table @.documents is '@isolation read: when published';
      ${select('documents', `owner_id = ${me} or published`)}
      create table @.comments (id uuid primary key default gen_random_uuid(), document_id uuid not null references @.documents, body text);
      create index on @.comments (document_id); alter table @.comments enable row level security; grant select on @.comments to authenticated;
      comment on table @.comments is '@isolation owner: parent document_id';
      ${select('comments', 'exists (select from @.documents d where d.id = comments.document_id and d.published)')}`,
    holed: `${documents} alter table @.documents add column published boolean not null default false;
      comment on table @.documents is '@isolation read: when published';
      create policy edit on @.documents for update to authenticated using (owner_id = ${me} or published);`,
    finding: 'policy-without-tenant: policy edit on @.documents',
  },
  {
    name: 'a support role that is not declared',
    sound: `create table @.staff (user_id uuid primary key references auth.users, is_support boolean not null default false);
      ${helper('is_support()', 'boolean', 'select exists (select from @.staff s where s.user_id = auth.uid() and s.is_support)')}
      ${documents} comment on table @.documents is '@isolation read: by staff (user_id) where is_support';
      ${select('documents', `owner_id = ${me} or (select @.is_support())`)}`,
    holed: `create table @.staff (user_id uuid primary key references auth.users, is_support boolean not null default false);
      ${helper('is_support()', 'boolean', 'select exists (select from @.staff s where s.user_id = auth.uid() and s.is_support)')}
      ${documents} ${select('documents', `owner_id = ${me} or (select @.is_support())`)}`,
    finding: 'policy-without-tenant: policy read on @.documents',
  },
  {
    name: 'a message that neither sender nor receiver owns',
    sound: `create table @.messages (sender_id uuid not null default auth.uid(), receiver_id uuid not null, moderator_id uuid, id uuid primary key, body text);
      alter table @.messages enable row level security; grant select on @.messages to authenticated;
      comment on table @.messages is '@isolation owner: sender_id, receiver_id';
      ${select('messages', `sender_id = ${me} or receiver_id = ${me}`)}`,
    holed: `create table @.messages (sender_id uuid not null default auth.uid(), receiver_id uuid not null, moderator_id uuid, id uuid primary key, body text);
      alter table @.messages enable row level security; grant select on @.messages to authenticated;
      comment on table @.messages is '@isolation owner: sender_id, receiver_id';
      ${select('messages', `sender_id = ${me} or moderator_id = ${me}`)}`,
    finding: 'policy-by-another-column: policy read on @.messages',
  },
  {
    name: 'a declaration that is not understood',
    sound: `${documents} ${select('documents', `owner_id = ${me}`)} comment on table @.documents is '@isolation owner: owner_id';`,
    holed: `${documents} ${select('documents', `owner_id = ${me}`)} comment on table @.documents is '@isolation owner: nobody';`,
    finding: 'access-model: @.documents',
  },
  {
    name: 'a helper that is named in a comment alone',
    sound: `${documents} ${helper('is_mine(owner uuid)', 'boolean', 'select owner = auth.uid()', 'stable')} ${select('documents', '@.is_mine(owner_id)')}`,
    holed: `${documents} ${helper('is_mine(owner uuid)', 'boolean', '/* owner = auth.uid() */ select owner is not null -- auth.uid()', 'stable')}
      ${select('documents', '@.is_mine(owner_id)')}`,
    finding: 'policy-without-tenant: policy read on @.documents',
  },
  {
    name: 'an immutable helper that reads a setting',
    sound: `${documents} ${helper('who()', 'uuid', 'select auth.uid()', 'stable')} ${select('documents', 'owner_id = (select @.who())')}`,
    holed: `${documents} ${helper('who()', 'uuid', 'select auth.uid()', 'immutable')} ${select('documents', 'owner_id = (select @.who())')}`,
    finding: 'immutable-helper: policy read on @.documents',
  },
  {
    name: 'an owner column that no policy asks',
    sound: `create table @.invoices (owner_id uuid not null references auth.users, approved_by uuid references auth.users, id uuid primary key);
      create index on @.invoices (owner_id);
      alter table @.invoices enable row level security; grant select on @.invoices to authenticated;
      ${select('invoices', `owner_id = ${me}`)}`,
    holed: `create table @.invoices (owner_id uuid not null references auth.users, approved_by uuid references auth.users, id uuid primary key);
      create index on @.invoices (owner_id);
      alter table @.invoices enable row level security; grant select on @.invoices to authenticated;
      ${select('invoices', `approved_by = ${me}`)}`,
    finding: 'policy-by-another-column: policy read on @.invoices',
  },
  {
    name: 'a permissive policy that no restrictive policy narrows',
    sound: `${documents} ${select('documents', 'true')}
      create policy narrow on @.documents as restrictive for select to authenticated using (owner_id = ${me});`,
    holed: `${documents} ${select('documents', 'true')}
      create policy narrow on @.documents as restrictive for select to authenticated using (title <> '');`,
    finding: 'policy-without-tenant: policy read on @.documents',
  },
  {
    name: 'a child row whose parent any user may see',
    sound: `${documents} ${select('documents', `owner_id = ${me}`)}
      create table @.pages (id uuid primary key default gen_random_uuid(), document_id uuid not null references @.documents on delete cascade, body text);
      create index on @.pages (document_id);
      alter table @.pages enable row level security; grant select on @.pages to authenticated;
      ${select('pages', `exists (select from @.documents d where d.id = pages.document_id and d.owner_id = ${me})`)}`,
    holed: `${documents} ${select('documents', `owner_id = ${me}`)}
      create table @.pages (id uuid primary key default gen_random_uuid(), document_id uuid not null references @.documents on delete cascade, body text);
      create index on @.pages (document_id);
      alter table @.pages enable row level security; grant select on @.pages to authenticated;
      ${select('pages', `exists (select from @.documents d where d.owner_id = ${me})`)}`,
    finding: 'policy-without-tenant: policy read on @.pages',
  },
];

interface Verdict {
  readonly errors: readonly string[];
  readonly findings: readonly string[];
  readonly undecided: readonly string[];
}

const verdicts = new Map<string, Verdict>();

beforeAll(async () => {
  const schemas = cases.flatMap(({ sound, holed }, index) => [
    { schema: `sound_${index}`, sql: sound },
    { schema: `holed_${index}`, sql: holed },
  ]);
  const sql = schemas.map(
    ({ schema, sql: own }) => `create schema ${schema}; grant usage on schema ${schema} to authenticated;
      ${own.replaceAll('@.', `${schema}.`)}
      revoke execute on all functions in schema ${schema} from public;
      grant execute on all functions in schema ${schema} to authenticated;`,
  );
  const db = await createSample('supabase', sql.join('\n'));
  try {
    const { findings, undecided } = await withClient(db.adminUrl, (client) =>
      lintDatabase(client, { schemas: schemas.map(({ schema }) => schema), roles: ['authenticated'] }),
    );
    for (const { schema } of schemas) {
      const own = (text: string) => text.includes(`${schema}.`);
      const name = (text: string) => text.replaceAll(`${schema}.`, '@.');
      const found = findings.filter(({ object }) => own(object));
      verdicts.set(schema, {
        errors: found.filter(({ level }) => level === 'error').map(({ rule, object }) => name(`${rule}: ${object}`)),
        findings: found.map(({ rule, object }) => name(`${rule}: ${object}`)),
        undecided: undecided.filter(({ about }) => own(about)).map(({ about }) => name(about)),
      });
    }
  } finally {
    await db.drop();
  }
}, 120_000);

describe('the linter finds', () => {
  test.each(cases.map((one, index) => ({ ...one, index })))('$name', ({ finding, index }) => {
    expect(verdicts.get(`holed_${index}`)?.findings).toContain(finding);
  });
});

test('a key on a random uuid is a warning if clients may choose it, and otherwise nothing', () => {
  // The documents of the first case have such a key, which no client may write.
  const isAboutKeys = (one: string) => one.startsWith('unique-across-tenants');
  expect([...verdicts.values()].flatMap(({ errors }) => errors).filter(isAboutKeys)).toEqual([]);
  const chosen = cases.findIndex(({ name }) => name.startsWith('a collaborator'));
  expect(verdicts.get(`sound_${chosen}`)?.findings.filter(isAboutKeys)).toEqual([]);
  const rooms = cases.findIndex(({ name }) => name.startsWith('a room'));
  expect(verdicts.get(`sound_${rooms}`)?.findings).toContain('unique-across-tenants: constraint rooms_pkey on @.rooms');
});

describe('the linter accepts the sound schema next to', () => {
  test.each(cases.map((one, index) => ({ ...one, index })))('$name', ({ finding, index }) => {
    const { errors, findings } = verdicts.get(`sound_${index}`) as Verdict;
    expect(errors).toEqual([]);
    expect(findings).not.toContain(finding);
    expect(findings.filter((one) => one.startsWith('policy-by-another-column'))).toEqual([]);
  });
});
