import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let ada: Tenant;
let bob: Tenant;
let eve: Tenant;

const me = '(select app_public.current_user_id())';

/** Teams whose members see one another, rooms with messages of several authors, and notes that are the user's alone. */
const teams = `
  create table app_public.teams (id uuid primary key default gen_random_uuid(), name text not null);
  create table app_public.memberships (
    team_id uuid not null references app_public.teams on delete cascade,
    user_id uuid not null references app_public.users on delete cascade,
    role text not null default 'member',
    primary key (team_id, user_id)
  );
  create index on app_public.memberships (user_id);
  create table app_public.messages (
    id uuid primary key default gen_random_uuid(),
    team_id uuid not null references app_public.teams on delete cascade,
    user_id uuid not null default app_public.current_user_id(),
    body text not null,
    foreign key (team_id, user_id) references app_public.memberships (team_id, user_id) on delete cascade
  );
  create table app_public.notes (
    user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
    id uuid not null default gen_random_uuid(),
    text text not null,
    primary key (user_id, id)
  );
  create function app_private.my_teams() returns setof uuid language sql stable security definer set search_path = ''
    as $$ select team_id from app_public.memberships where user_id = app_public.current_user_id() $$;
  grant usage on schema app_private to hedgerow_tenant;
  grant execute on function app_private.my_teams to hedgerow_tenant;
  alter table app_public.teams enable row level security;
  alter table app_public.memberships enable row level security;
  alter table app_public.messages enable row level security;
  alter table app_public.notes enable row level security, force row level security;
  create policy seen on app_public.teams for select to hedgerow_tenant using (id in (select app_private.my_teams()));
  create policy seen on app_public.memberships for select to hedgerow_tenant using (team_id in (select app_private.my_teams()));
  create policy left_by_self on app_public.memberships for delete to hedgerow_tenant using (team_id in (select app_private.my_teams()));
  create policy seen on app_public.messages for select to hedgerow_tenant using (team_id in (select app_private.my_teams()));
  create policy written on app_public.messages for insert to hedgerow_tenant
    with check (user_id = ${me} and team_id in (select app_private.my_teams()));
  create policy own on app_public.notes to hedgerow_tenant using (user_id = ${me} and text <> '');
  grant select on app_public.teams to hedgerow_tenant;
  grant select, delete on app_public.memberships to hedgerow_tenant;
  grant select, insert (team_id, body) on app_public.messages to hedgerow_tenant;
  grant select, insert (text), update (text), delete on app_public.notes to hedgerow_tenant;
`;

const red = '00000000-0000-4000-8000-00000000000a';
const blue = '00000000-0000-4000-8000-00000000000b';

beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(teams);
  server = await serve(db);
  [ada, bob, eve] = [await signUp(server.app, 'ada'), await signUp(server.app, 'bob'), await signUp(server.app, 'eve')];
});
afterAll(async () => {
  await server.close();
  await db.drop();
});

beforeEach(async () => {
  await db.asAdmin(`truncate app_public.teams cascade`);
  await db.asAdmin(`insert into app_public.teams (id, name) values ($1, 'red'), ($2, 'blue')`, [red, blue]);
  await db.asAdmin(
    `insert into app_public.memberships (team_id, user_id) values ($1, $3), ($1, $4), ($2, $3), ($2, $5)`,
    [red, blue, ada.id, bob.id, eve.id],
  );
  await db.asAdmin(
    `insert into app_public.messages (team_id, user_id, body) values ($1, $2, 'of ada'), ($1, $3, 'of bob')`,
    [red, ada.id, bob.id],
  );
});

const memberships = () =>
  db.asAdmin(`select team_id, user_id from app_public.memberships order by team_id, user_id`) as Promise<unknown[]>;

test('a mutation of a shared table names its row by the whole key', async () => {
  const before = await memberships();
  const byTeam = await ada.graphql(
    'mutation ($t: UUID!) { deleteMembership(input: {teamId: $t}) { membership { userId } } }',
    { t: red },
  );
  expect(byTeam.body.errors[0].extensions.code).toBe('BAD_USER_INPUT');
  expect(await memberships()).toEqual(before);
  const { body } = await ada.graphql(
    'mutation ($t: UUID!, $u: UUID!) { deleteMembership(input: {teamId: $t, userId: $u}) { membership { userId } } }',
    { t: red, u: bob.id },
  );
  expect(body).toEqual({ data: { deleteMembership: { membership: { userId: bob.id } } } });
  expect(await memberships()).toHaveLength(before.length - 1);
});

test('rows of several users have node ids, keys and cursors of their own', async () => {
  const { body } = await ada.graphql(
    '{ memberships(first: 1) { totalCount edges { cursor } } all: memberships { nodes { id teamId userId } } }',
  );
  const { nodes } = body.data.all;
  expect(body.data.memberships.totalCount).toBe(4);
  expect(new Set(nodes.map(({ id }: { id: string }) => id)).size).toBe(4);
  const pages: string[] = [];
  let after = null;
  for (let page = 0; page < 4; page++) {
    const answer = await ada.graphql(
      'query ($after: Cursor) { memberships(first: 1, after: $after) { edges { cursor node { id } } } }',
      { after },
    );
    const [edge] = answer.body.data.memberships.edges;
    pages.push(edge.node.id);
    after = edge.cursor;
  }
  expect(new Set(pages).size).toBe(4);
});

test('a shared parent has many rows of several users, and each names its author', async () => {
  const { body } = await bob.graphql(
    `query ($t: UUID!) { team(rowId: $t) { memberships { nodes { userId } } messages(orderBy: BODY_ASC) {
      nodes { body userId teamUser { userId role } }
    } } }`,
    { t: red },
  );
  const { team } = body.data;
  expect(team.memberships.nodes).toHaveLength(2);
  expect(team.messages.nodes).toEqual([
    { body: 'of ada', userId: ada.id, teamUser: { userId: ada.id, role: 'member' } },
    { body: 'of bob', userId: bob.id, teamUser: { userId: bob.id, role: 'member' } },
  ]);
});

test('an offset skips rows of a shared table one by one', async () => {
  const { body } = await ada.graphql(
    '{ all: memberships { nodes { id } } rest: memberships(offset: 3) { nodes { id } } }',
  );
  expect(body.data.rest.nodes).toEqual([body.data.all.nodes[3]]);
});

test('the owner column is hidden where every policy pins it, beside other conditions too', async () => {
  const { body } = await ada.graphql('mutation { createNote(input: {note: {text: "x"}}) { note { rowId } } }');
  const { rowId } = body.data.createNote.note;
  const hidden = await ada.graphql('{ notes { nodes { userId } } }');
  expect(hidden.body.errors[0].message).toMatch(/userId/);
  const gone = await ada.graphql('mutation ($id: UUID!) { deleteNote(input: {rowId: $id}) { note { text } } }', {
    id: rowId,
  });
  expect(gone.body).toEqual({ data: { deleteNote: { note: { text: 'x' } } } });
});

test.each([
  ['an `or` beside the owner', `for select to hedgerow_tenant using (user_id = ${me} or text = 'shared')`, true],
  ['another operator', `for select to hedgerow_tenant using (user_id <> ${me})`, true],
  ['a second policy that shares', `for select to public using (text = 'shared')`, true],
  ['an update to anybody', `for update to hedgerow_tenant using (user_id = ${me}) with check (true)`, true],
  [
    'a subquery with rows',
    `for select to hedgerow_tenant using (user_id = (select id from app_public.users limit 1))`,
    true,
  ],
  ['a policy of another role', `for select to hedgerow_auth using (true)`, false],
  ['the operands swapped', `for select to hedgerow_tenant using (${me} = user_id)`, false],
  [
    'the function without a subquery',
    `for select to hedgerow_tenant using (user_id = app_public.current_user_id())`,
    false,
  ],
])('the owner column beside %s', async (_name, policy, isShown) => {
  const fields = await fieldsOfNotes(`create policy tried on app_public.notes ${policy}`, 'tried');
  expect(fields.includes('userId')).toBe(isShown);
});

test('a restrictive policy that pins the owner column hides it', async () => {
  const fields = await fieldsOfNotes(
    `create policy shared on app_public.notes for select to hedgerow_tenant using (true);
    create policy pinned on app_public.notes as restrictive for select to hedgerow_tenant using (user_id = ${me})`,
    'shared',
    'pinned',
  );
  expect(fields).not.toContain('userId');
});

/** The fields of notes in the API of a server that starts with these policies. They are dropped afterwards. */
async function fieldsOfNotes(policies: string, ...names: readonly string[]): Promise<string[]> {
  await db.asAdmin(policies);
  const own = await serve(db);
  try {
    const type = own.graphqlSchema.getType('Note') as unknown as { getFields(): object };
    return Object.keys(type.getFields());
  } finally {
    await own.close();
    for (const name of names) await db.asAdmin(`drop policy ${name} on app_public.notes`);
  }
}
