import type { Attempt } from '../../isolation/attempt.ts';
import { readCatalog } from '../../isolation/catalog.ts';
import { runControls } from '../../isolation/proveSql.ts';
import { createSeedData } from '../../isolation/seedData/createSeedData.ts';
import { attackSql } from '../../isolation/sql/attackSql.ts';
import { ownerErrorsOf } from '../../isolation/sql/refusals.ts';
import { unproven } from '../../isolation/unproven.ts';
import { openTestDatabase } from '../support/database.ts';

// Under load, these tests take minutes instead of seconds.
import.meta.jest.setTimeout(300_000);

const { client } = await openTestDatabase();
afterEach(() => client.query('rollback'));

const role = 'declared_tenant';
const me = '(select api.me())';

const base = `
create schema api;
create role ${role};
grant usage on schema api to ${role};
create function api.me() returns uuid language sql stable as $$ select nullif(current_setting('app.me', true), '')::uuid $$;
create table api.users (id uuid primary key default gen_random_uuid());`;

const id = 'id uuid primary key default gen_random_uuid()';
const user = 'uuid not null default api.me() references api.users on delete cascade';

/** A table with row-level security and one policy for each command. */
function table(
  name: string,
  columns: string,
  comment: string,
  policies: Partial<Record<'select' | 'insert' | 'update' | 'delete', string>>,
  granted = 'select, insert, update, delete',
): string {
  const created = Object.entries(policies).map(
    ([command, condition]) =>
      `create policy ${name}_${command} on api.${name} for ${command} to ${role} ${command === 'insert' ? 'with check' : 'using'} (${condition});`,
  );
  return `
create table api.${name} (${columns});
comment on table api.${name} is E'${comment.replaceAll("'", "''").replaceAll('\n', '\\n')}';
alter table api.${name} enable row level security;
${created.join('\n')}
grant ${granted} on api.${name} to ${role};`;
}

/** Grants without the key, which would tell whether a row exists. */
const writing = (updated: string, inserted = updated) => `select, insert (${inserted}), update (${updated}), delete`;

/** Policies with one condition for all commands, apart from those given. */
const all = (condition: string, others: Parameters<typeof table>[3] = {}) => ({
  select: condition,
  insert: condition,
  update: condition,
  delete: condition,
  ...others,
});

const definer = (name: string, args: string, returns: string, body: string) => `
create function api.${name}(${args}) returns ${returns} language sql stable security definer set search_path = '' as $$ ${body} $$;
grant execute on function api.${name} to ${role};`;

const posts = (select: string, update = `author = ${me}`) =>
  table(
    'posts',
    `${id}, author ${user}, title text not null, published boolean not null default false, hidden boolean not null default false`,
    '@isolation owner: author\n@isolation read: when published',
    all(`author = ${me}`, { select, update }),
    writing('title, published, hidden'),
  ) +
  table(
    'comments',
    `${id}, author ${user}, post_id uuid not null references api.posts on delete cascade, body text not null`,
    '',
    all(`author = ${me}`, {
      select: `author = ${me} or exists (select from api.posts p where p.id = comments.post_id and p.published)`,
      insert: `author = ${me} and exists (select from api.posts p where p.id = comments.post_id)`,
    }),
    writing('body', 'post_id, body'),
  );

const lists = (read: string, write = read) => `
${table('lists', `${id}, owner ${user}, title text not null`, "@isolation read: id through list_users (list_id, user_id) where accepted\n@isolation write: id through list_users (list_id, user_id) where accepted and role in ('editor')", {}, writing('title'))}
${table(
  'list_users',
  `list_id uuid not null references api.lists on delete cascade, user_id uuid not null references api.users,
    role text not null check (role in ('viewer', 'editor')), accepted boolean not null default false, primary key (list_id, user_id)`,
  '@isolation owner: parent list_id',
  {},
)}
${definer('owns', 'list uuid', 'boolean', 'select exists (select from api.lists l where l.id = list and l.owner = api.me())')}
${definer('reads', 'list uuid', 'boolean', `select exists (select from api.list_users u where u.list_id = list and u.user_id = api.me() and ${read})`)}
${definer('writes', 'list uuid', 'boolean', `select exists (select from api.list_users u where u.list_id = list and u.user_id = api.me() and ${write})`)}
create policy lists_read on api.lists for select to ${role} using (owner = ${me} or api.reads(id));
create policy lists_update on api.lists for update to ${role} using (owner = ${me} or api.writes(id)) with check (owner = ${me} or api.writes(id));
create policy lists_insert on api.lists for insert to ${role} with check (owner = ${me});
create policy lists_delete on api.lists for delete to ${role} using (owner = ${me});
create policy own on api.list_users to ${role} using (api.owns(list_id));`;

const tickets = (update: string, grant = 'nick') =>
  `${table(
    'profiles',
    `user_id uuid primary key references api.users, nick text, is_support boolean not null default false`,
    '',
    all(`user_id = ${me}`),
    `select, delete, update (${grant})`,
  )}
${table(
  'tickets',
  `${id}, user_id ${user}, body text not null`,
  '@isolation read: by profiles (user_id) where is_support',
  all(`user_id = ${me}`, {
    select: `user_id = ${me} or exists (select from api.profiles p where p.user_id = ${me} and p.is_support)`,
    update,
  }),
  writing('body'),
)}`;
const isSupport = `exists (select from api.profiles p where p.user_id = ${me} and p.is_support)`;

const messages = (select: string, update = `sender = ${me}`) =>
  table(
    'messages',
    `${id}, sender ${user}, recipient uuid not null references api.users, body text not null, urgent boolean not null default false`,
    '@isolation owner: sender\n@isolation read: user recipient',
    all(`sender = ${me}`, { select, update }),
    writing('body, urgent', 'recipient, body, urgent'),
  );

const countries = (policies: Parameters<typeof table>[3]) =>
  table('countries', 'code text primary key, name text not null', '@isolation read: everyone', policies);

const teams = (boards: string, join: string) => {
  const group = '@isolation owner: team_id through team_users (team_id, user_id)';
  return `
${table('teams', `${id}, name text not null`, '@isolation owner: id through team_users (team_id, user_id)', {}, 'select')}
${table(
  'team_users',
  `team_id uuid not null references api.teams on delete cascade, user_id uuid not null references api.users,
    is_admin boolean not null default false, primary key (team_id, user_id)`,
  group,
  {},
  'select, insert, delete',
)}
${definer('my_teams', '', 'setof uuid', 'select u.team_id from api.team_users u where u.user_id = api.me()')}
create policy own on api.teams for select to ${role} using (id in (select api.my_teams()));
create policy read_own on api.team_users for select to ${role} using (team_id in (select api.my_teams()));
create policy delete_own on api.team_users for delete to ${role} using (team_id in (select api.my_teams()));
create policy join_own on api.team_users for insert to ${role} with check (${join});
${table('boards', `${id}, team_id uuid not null references api.teams on delete cascade, body text not null, archived boolean not null default false`, group, all('team_id in (select api.my_teams())', { select: boards }), writing('body, archived', 'team_id, body, archived'))}`;
};
const inTeam = 'team_id in (select api.my_teams())';

const sound: [string, string][] = [
  ['published posts and their comments', posts(`author = ${me} or published`)],
  ['lists with collaborators', lists('u.accepted', "u.accepted and u.role = 'editor'")],
  ['tickets that the support reads', tickets(`user_id = ${me}`)],
  ['messages to a recipient', messages(`sender = ${me} or recipient = ${me}`)],
  ['countries that everyone reads', countries({ select: 'true' })],
  ['boards of teams', teams(inTeam, inTeam)],
];

const holed: [string, string, RegExp][] = [
  ['hidden posts', posts(`author = ${me} or published or hidden`), /^api\.posts: select/],
  ['all posts', posts('true'), /^api\.posts: select/],
  [
    'updates of published posts',
    posts(`author = ${me} or published`, `author = ${me} or published`),
    /^api\.posts: update/,
  ],
  ['collaborators who have not accepted', lists('true', "u.accepted and u.role = 'editor'"), /^api\.lists: select/],
  ['viewers who write', lists('u.accepted'), /^api\.lists: update/],
  ['editors who have not accepted', lists('u.accepted', "u.role = 'editor'"), /^api\.lists: update/],
  ['support that writes', tickets(`user_id = ${me} or ${isSupport}`), /^api\.tickets: update as staff/],
  ['users who make themselves support', tickets(`user_id = ${me}`, 'nick, is_support'), /^api\.profiles: read again/],
  ['messages to anyone', messages(`sender = ${me} or recipient is not null`), /^api\.messages: select/],
  ['urgent messages', messages(`sender = ${me} or recipient = ${me} or urgent`), /^api\.messages: select/],
  [
    'updates by recipients',
    messages(`sender = ${me} or recipient = ${me}`, `${me} in (sender, recipient)`),
    /^api\.messages: update/,
  ],
  ['inserts of countries', countries({ select: 'true', insert: 'true' }), /^api\.countries: insert/],
  ['updates of countries', countries({ select: 'true', update: 'true' }), /^api\.countries: update/],
  ['archived boards of all teams', teams(`${inTeam} or archived`, inTeam), /^api\.boards: select/],
  ['users who add themselves to a team', teams(inTeam, `user_id = ${me}`), /^api\.team_users: /],
];

async function seeded(sql: string) {
  await client.query(`begin; ${base} ${sql}`);
  const catalog = await readCatalog(client, { schema: 'api', role, setting: 'app.me' });
  const seedData = await createSeedData(client, catalog, { seed: 1 });
  const only = (name: string) => name.startsWith('api.');
  const controls = await runControls(client, catalog, seedData, { only });
  const attacks = attackSql(client, catalog, seedData, { only, ownerErrors: ownerErrorsOf(controls) });
  return { catalog, seedData, controls, attacks, only };
}

test.each(sound)('what comments declare is no leak: %s', async (_, sql) => {
  const { catalog, seedData, controls, attacks, only } = await seeded(sql);
  const attempts: Attempt[] = [];
  for await (const attempt of attacks) attempts.push(attempt);
  const leaks = attempts.filter(({ outcome }) => outcome === 'leaked');
  expect(leaks.map((leak) => `${leak.table}: ${leak.attack}: ${leak.statement} ${leak.evidence}`)).toEqual([]);
  expect(unproven(catalog, seedData, attempts, controls, { only })).toEqual([]);
});

test.each(holed)('the prover finds a hole beside what comments declare: %s', async (_, sql, leak) => {
  const { attacks } = await seeded(sql);
  const found: string[] = [];
  for await (const { outcome, table, attack } of attacks) {
    if (outcome === 'leaked') found.push(`${table}: ${attack}`);
    if (leak.test(found.at(-1) ?? '')) break;
  }
  expect(found).toContainEqual(expect.stringMatching(leak));
});
