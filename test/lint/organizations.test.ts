import { buildServedApi } from '../../dba/servedApi/lintSchema.ts';
import { inspectCatalog } from '../../lint/catalog.ts';
import { readRules } from '../../lint/rules.ts';
import { tryPolicies } from '../../lint/tryPolicies.ts';
import { openTestDatabase } from '../support/database.ts';

const { client, db } = await openTestDatabase();

const rules = (await readRules()).filter((rule) => !('inspect' in rule || 'ofApi' in rule));

/** Returns the findings of all rules about the catalog, as `<rule>: <object>`, after `sql` has run. */
async function findings(sql: string): Promise<string[]> {
  await client.query('begin');
  try {
    await client.query('set local role hedgerow_owner');
    await client.query(sql);
    await client.query('reset role');
    await client.query('set local search_path = pg_catalog');
    const found = await inspectCatalog(client, rules, buildServedApi);
    return found.map(({ rule, object }) => `${rule}: ${object}`).sort();
  } finally {
    await client.query('rollback');
  }
}

const org = '(select app_public.current_organization_id())';
const me = '(select app_public.current_user_id())';
const role = '(select app_public.current_member_role())';

/** A table whose rows belong to organizations, with one policy. */
const documents = (condition: string, command = 'select', clause = 'using') => `
  create table app_public.documents (
    organization_id uuid not null default app_public.current_organization_id()
      references app_public.organizations on delete cascade,
    id uuid not null default gen_random_uuid(),
    task_id uuid,
    author_id uuid,
    hidden boolean not null default false,
    primary key (organization_id, id),
    foreign key (organization_id, task_id) references app_public.tasks on delete set null (task_id),
    foreign key (organization_id, author_id) references app_public.organization_members on delete set null (author_id)
  );
  create index on app_public.documents (organization_id, task_id);
  create index on app_public.documents (organization_id, author_id);
  alter table app_public.documents enable row level security, force row level security;
  create policy one on app_public.documents for ${command} to hedgerow_tenant ${clause} (${condition});
  grant ${command} on app_public.documents to hedgerow_tenant;`;

/** A table whose rows belong to users, with one policy. */
const notes = (condition: string) => `
  create table app_public.notes (
    user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
    id uuid not null default gen_random_uuid(),
    organization_id uuid,
    primary key (user_id, id)
  );
  alter table app_public.notes enable row level security, force row level security;
  create policy one on app_public.notes for select to hedgerow_tenant using (${condition});
  grant select on app_public.notes to hedgerow_tenant;`;

describe('a table whose rows belong to organizations', () => {
  test.each([
    `organization_id = ${org}`,
    `${org} = organization_id`,
    `organization_id = ${org} and not hidden`,
    `organization_id = ${org} and ${role} in ('owner', 'admin')`,
    `organization_id = ${org} and (author_id = ${me} or not hidden)`,
    `organization_id = (select nullif(current_setting('app.current_organization_id', true), '')::uuid)`,
    `organization_id = any (array(select m.organization_id from app_public.organization_members m where m.user_id = ${me}))`,
    `organization_id in (select m.organization_id from app_public.organization_members m where m.user_id = ${me} and m.role = 'owner')`,
    `exists (select from app_public.organization_members m where m.organization_id = documents.organization_id and m.user_id = ${me})`,
    `exists (select from app_public.organizations o join app_public.organization_members m on m.organization_id = o.id
      where o.id = documents.organization_id and m.user_id = ${me})`,
    `exists (select from app_public.tasks t where t.organization_id = documents.organization_id and t.id = task_id and t.organization_id = ${org})`,
  ])('has no finding with the policy %s', async (condition) => {
    expect(await findings(documents(condition))).toEqual([]);
  });

  test.each([
    [`organization_id = ${org} or not hidden`, 'policy-without-tenant'],
    [`organization_id = ${org} or true`, 'policy-always-true'],
    [`organization_id = ${org} or author_id = ${me}`, 'policy-without-tenant'],
    [`organization_id = ${org} or ${role} = 'owner'`, 'policy-without-tenant'],
    [`${role} = 'owner'`, 'policy-without-tenant'],
    [`author_id = ${me}`, 'policy-without-tenant'],
    [`author_id = ${org}`, 'policy-without-tenant'],
    [`task_id = ${org}`, 'policy-without-tenant'],
    [`organization_id = ${me}`, 'policy-without-tenant'],
    [`organization_id <> ${org}`, 'policy-always-true'],
    [`organization_id = ${org} or ${org} is null`, 'policy-treats-null-as-everyone'],
    [`organization_id = coalesce(${org}, organization_id)`, 'policy-treats-null-as-everyone'],
    [`organization_id = ${org} or (${org} is null and ${me} is not null)`, 'policy-treats-null-as-everyone'],
    [`exists (select from app_public.organization_members m where m.user_id = ${me})`, 'policy-without-tenant'],
    [
      `exists (select from app_public.organization_members m where m.organization_id = organization_id and m.user_id = ${me})`,
      'policy-without-tenant',
    ],
    [
      `exists (select from app_public.organization_members m where m.organization_id = documents.organization_id)`,
      'policy-without-tenant',
    ],
    [
      `exists (select from app_public.organization_members m, app_public.organization_members o
        where m.user_id = ${me} and o.organization_id = documents.organization_id)`,
      'policy-without-tenant',
    ],
    [
      `exists (select from app_public.organization_members o where o.organization_id = documents.organization_id
        and o.user_id in (select m.user_id from app_public.organization_members m where m.organization_id = ${org}))`,
      'policy-without-tenant',
    ],
  ])('has a finding with the policy %s', async (condition, rule) => {
    expect(await findings(documents(condition))).toContain(`${rule}: policy one on app_public.documents`);
  });

  test('needs its organization in the policies that write, too', async () => {
    expect(await findings(documents(`organization_id = ${org}`, 'insert', 'with check'))).not.toContainEqual(
      expect.stringMatching(/^policy-/),
    );
    expect(await findings(documents(`author_id = ${me}`, 'insert', 'with check'))).toContain(
      'policy-without-tenant: policy one on app_public.documents',
    );
  });

  test('needs keys and foreign keys with the organization, and goes with it', async () => {
    const found = await findings(`
      create table app_public.pages (
        organization_id uuid not null default app_public.current_organization_id(),
        id uuid not null default gen_random_uuid(),
        slug text not null unique,
        task_id uuid,
        primary key (organization_id, id),
        -- The column task_id can be null, so this key does not delete every row.
        foreign key (organization_id, task_id) references app_public.tasks on delete cascade
      );
      create index on app_public.pages (organization_id, task_id);
      alter table app_public.pages enable row level security, force row level security;
      create policy one on app_public.pages for insert to hedgerow_tenant with check (organization_id = ${org});
      grant insert (organization_id, id, slug, task_id) on app_public.pages to hedgerow_tenant;`);
    expect(found).toEqual([
      'owner-column-granted: app_public.pages.organization_id',
      'owner-column-without-foreign-key: app_public.pages.organization_id',
      'unique-across-tenants: constraint pages_slug_key on app_public.pages',
    ]);
    // A key to a table that goes with the organization.
    expect(
      await findings(`
        create table app_public.pages (
          organization_id uuid not null, id uuid not null, task_id uuid not null, primary key (organization_id, id),
          foreign key (organization_id, task_id) references app_public.tasks on delete cascade
        );
        create index on app_public.pages (organization_id, task_id);
        alter table app_public.pages enable row level security, force row level security;`),
    ).toEqual([]);
  });
});

test('a membership belongs to the organization and to its user', async () => {
  const policy = (condition: string) =>
    `create policy another on app_public.organization_members for select to hedgerow_tenant using (${condition})`;
  const several = 'several-permissive-policies: app_public.organization_members';
  expect(await findings(policy(`user_id = ${me}`))).toEqual([several]);
  expect(await findings(policy(`user_id = ${org}`))).toEqual([
    'policy-without-tenant: policy another on app_public.organization_members',
    several,
  ]);
  expect(await findings(policy(`user_id = ${me} or role = 'owner'`))).toContain(
    'policy-without-tenant: policy another on app_public.organization_members',
  );
});

describe('a table whose rows belong to users', () => {
  test.each([`user_id = ${me}`, `user_id = ${me} and ${role} = 'owner'`])(
    'has no finding with the policy %s',
    async (condition) => {
      expect(await findings(notes(condition))).toEqual([]);
    },
  );

  test.each([
    `user_id = ${org}`,
    `user_id = ${me} or user_id = ${org}`,
    `user_id = ${me} or organization_id = ${org}`,
    `user_id = ${me} or ${role} = 'owner'`,
    `exists (select from app_public.organization_members m where m.user_id = notes.user_id and m.organization_id = ${org})`,
  ])('has a finding with the policy %s', async (condition) => {
    expect(await findings(notes(condition))).toContain('policy-without-tenant: policy one on app_public.notes');
  });
});

test('a helper that looks up memberships as the owner of a forced table is a warning, and its hole an error', async () => {
  const schema = (check: string) => `
    create table app_public.rooms (
      id uuid primary key default gen_random_uuid(),
      created_by uuid not null default app_public.current_user_id() references app_public.users on delete cascade
    );
    create index on app_public.rooms (created_by);
    create table app_public.guests (
      room_id uuid not null references app_public.rooms on delete cascade,
      user_id uuid not null references app_public.users on delete cascade,
      primary key (room_id, user_id)
    );
    create index on app_public.guests (user_id);
    alter table app_public.rooms enable row level security, force row level security;
    alter table app_public.guests enable row level security, force row level security;
    create function app_public.my_rooms() returns setof uuid language sql stable security definer set search_path = '' as $$
      select g.room_id from app_public.guests g where g.user_id = app_public.current_user_id() $$;
    revoke execute on function app_public.my_rooms from public;
    grant execute on function app_public.my_rooms to hedgerow_tenant;
    create policy select_owner on app_public.guests for select to hedgerow_owner using (true);
    create policy select_own on app_public.guests for select to hedgerow_tenant
      using (room_id in (select app_public.my_rooms()));
    create policy select_own on app_public.rooms for select to hedgerow_tenant
      using (id in (select app_public.my_rooms()));
    create policy insert_own on app_public.guests for insert to hedgerow_tenant with check (${check});
    grant select, insert (room_id, user_id) on app_public.guests to hedgerow_tenant;
    grant select on app_public.rooms to hedgerow_tenant;`;
  const isAboutPolicies = (one: string) => /^(policy-|self-|security-)/.test(one);
  const sound = `exists (select from app_public.rooms r where r.id = guests.room_id and r.created_by = ${me})`;
  expect((await findings(schema(sound))).filter(isAboutPolicies)).toEqual([
    'security-definer: function app_public.my_rooms()',
  ]);
  expect((await findings(schema(`user_id = ${me}`))).filter(isAboutPolicies)).toEqual([
    'security-definer: function app_public.my_rooms()',
    'self-granted-access: policy insert_own on app_public.guests',
  ]);
});

test('the policy of the identity statement may only read', async () => {
  const policy = (command: string) => `
    create policy identity on app_public.projects for ${command} to hedgerow_authenticator using (true)`;
  expect(await findings(policy('select'))).toEqual([]);
  expect(await findings(policy('update'))).toEqual(['policy-not-to-tenant: policy identity on app_public.projects']);
});

test.each([
  ['app.current_organization_id', 'set_config'],
  ['app.current_member_role', 'set_config'],
])('a function that changes %s changes the identity', async (setting) => {
  const found = await findings(`
    create function app_public.become(given text) returns text language sql
      begin atomic select set_config('${setting}', given, true); end;
    revoke execute on function app_public.become from public`);
  expect(found).toEqual(['identity-changed-by-function: function app_public.become(text)']);
});

test('a function of the organization that returns anything else is found', async () => {
  for (const [name, type, body] of [
    ['current_organization_id', 'uuid', "current_setting('app.organization', true)::uuid"],
    ['current_member_role', 'text', "coalesce(nullif(current_setting('app.current_member_role', true), ''), 'owner')"],
  ])
    expect(
      await findings(
        `create or replace function app_public.${name}() returns ${type} language sql stable parallel safe return ${body}`,
      ),
    ).toContain(`current-user-id-replaced: function app_public.${name}()`);
});

test('policies are tried as a member of an organization', async () => {
  await db.asAdmin(`
    create function app_public.require_member() returns boolean language plpgsql stable set search_path = '' as $$
      begin
        if app_public.current_organization_id() is null or app_public.current_member_role() is null then
          raise exception 'no member';
        end if;
        return true;
      end $$;
    insert into app_public.organizations (id, name) values (gen_random_uuid(), 'x');
    create policy member on app_public.organizations as restrictive for select to hedgerow_tenant
      using (app_public.require_member())`);
  expect(await tryPolicies(db.listenUrl)).toEqual([]);
});
