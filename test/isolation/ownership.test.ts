import { readCatalog } from '../../isolation/catalog.ts';
import { findOwners } from '../../isolation/ownership.ts';
import { openTestDatabase } from '../support/database.ts';

const { client } = await openTestDatabase();
afterEach(() => client.query('rollback'));

/** The owners of the tables of a schema, by the table's name. */
async function ownersOf(sql: string): Promise<Record<string, string>> {
  await client.query(`begin; create schema api; grant usage on schema api to hedgerow_tenant; ${sql}`);
  const catalog = await readCatalog(client, { schema: 'api', role: 'hedgerow_tenant', setting: 'app.me' });
  const owners = findOwners(catalog);
  return Object.fromEntries(
    catalog.tables
      .filter(({ schema }) => schema === 'api')
      .map(({ oid, relname }) => [relname, `${owners.get(oid)?.kind} ${owners.get(oid)?.column?.name ?? ''}`.trim()]),
  );
}

const people = `
  create function api.uid() returns uuid language sql stable as $$ select nullif(current_setting('app.me', true), '')::uuid $$;
  create table api.people (id uuid primary key default gen_random_uuid(), name text);
  alter table api.people enable row level security;
  create policy own on api.people using (id = api.uid());`;

test('a column with a random default is no owner, although the name of the function ends like that of a helper', async () => {
  const owners = await ownersOf(`${people}
    create table api.notes (id uuid primary key default gen_random_uuid(), author uuid not null references api.people, body text);
    create policy own on api.notes using (author = api.uid());`);
  expect(owners).toEqual({ people: 'own id', notes: 'own author' });
});

test('a reference to organizations is no reference to the user, whatever its name is', async () => {
  const owners = await ownersOf(`${people}
    create table api.organizations (id uuid primary key, owner_id uuid not null references api.people);
    create table api.documents (id uuid primary key, organization_id uuid not null references api.organizations);`);
  expect(owners).toEqual({ people: 'own id', organizations: 'own owner_id', documents: 'parent' });
});

test('a name alone shows the owner where no policy shows the tenants', async () => {
  const owners = await ownersOf(`create table api.users (id uuid primary key);
    create table api.notes (id uuid primary key, user_id uuid not null references api.users);`);
  expect(owners.notes).toBe('own user_id');
});

test('declared owners replace those that columns suggest', async () => {
  const owners = await ownersOf(`${people}
    create table api.teams (id uuid primary key, owner_id uuid references api.people);
    create table api.members (team_id uuid references api.teams, user_id uuid references api.people);
    create table api.notes (id uuid primary key, user_id uuid references api.people, writer uuid references api.people);
    create table api.boards (id uuid primary key, team_id uuid references api.teams, user_id uuid references api.people);
    create table api.cards (id uuid primary key, user_id uuid references api.people, board_id uuid references api.boards);
    comment on table api.notes is '@isolation owner: writer';
    comment on table api.boards is '@isolation owner: team_id through members (team_id, user_id)';
    comment on table api.cards is '@isolation owner: parent board_id';`);
  expect(owners).toMatchObject({ notes: 'own writer', boards: 'own team_id', cards: 'parent', members: 'own user_id' });
});

test.each([
  ['a column', '@isolation owner: nobody', 'The comment of api.notes names the column nobody, which does not exist.'],
  ['a table', '@isolation read: id through readers (note_id, user_id)', 'api.readers, which does not exist.'],
  ['a word', '@isolation reads: everyone', 'The comment of api.notes has a mistake'],
])('a declaration with a mistake is refused: %s', async (_, comment, message) => {
  const sql = `create table api.notes (id uuid primary key); comment on table api.notes is '${comment}';`;
  await expect(ownersOf(sql)).rejects.toThrow(message);
});
