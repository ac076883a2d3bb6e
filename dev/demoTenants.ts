import pg from 'pg';
import { register } from '../server/auth/accounts/register.ts';
import { Problem } from '../server/http/problem.ts';
import { createOrganization } from '../server/organizations/organizations.ts';
import { Identity } from '../server/tenancy/identity.ts';
import type { Database, IdentifiedClient } from '../server/tenancy/tenantDatabase.ts';

/** Two tenants to try the API with. They exist only in the embedded development database. */
export const demoTenants = [
  { email: 'ada@example.com', username: 'ada', password: 'ada-demo-password' },
  { email: 'bob@example.com', username: 'bob', password: 'bob-demo-password' },
] as const;

const insertTodos = `with list as (insert into app_public.lists (name) values ('Home') returning id)
  insert into app_public.todos (list_id, title, priority)
  select id, title, priority from list, (values ($1, 3), ('Water the hedge', 1)) as todo (title, priority)`;

const insertTasks = `with project as (insert into app_public.projects (name) values ('Front garden') returning id)
  insert into app_public.tasks (project_id, title, assignee_id)
  select id, title, assignee from project,
    (values ('Trim the hedge', $1::uuid), ('Plant roses', null)) as task (title, assignee)`;

const nowhere = { address: undefined, userAgent: undefined };

/**
 * Creates the missing demo tenants, with a list and two todos each, and an organization that they share.
 *
 * @param report receives a sentence if a tenant has no rows, because the example tables were removed or changed.
 */
export async function createDemoTenants(database: Database, report: (sentence: string) => void): Promise<void> {
  const created: Account[] = [];
  for (const tenant of demoTenants) {
    try {
      const { user, sessionId } = await register(database.as(Identity.signIn), tenant, nowhere);
      await createRows(
        database.as(Identity.tenant(user.id, sessionId)),
        { tables: ['lists', 'todos'], text: insertTodos, value: `${tenant.username}'s first todo` },
        ({ message }) => report(`the demo tenant ${tenant.username} has no todos: ${message}`),
      );
      created.push({ userId: user.id, sessionId });
    } catch (error) {
      if (!(error instanceof Problem && error.status === 409)) throw error;
    }
  }
  const [owner, member] = created;
  if (owner && member) await createSharedOrganization(database, owner, member, report);
}

interface Account {
  readonly userId: string;
  readonly sessionId: string;
}

/** Creates an organization with a project and two tasks. `owner` owns it, and `member` may write its rows. */
async function createSharedOrganization(
  database: Database,
  owner: Account,
  member: Account,
  report: (sentence: string) => void,
): Promise<void> {
  const account = Identity.account(owner.userId, owner.sessionId);
  const { id } = await createOrganization(database.as(account), 'Hedge & Sons', nowhere, owner);
  await database.as(account.actingFor(id)).query({
    text: `insert into app_public.organization_members (user_id, username, role)
      select id, username, 'member' from app_public.users where id = $1`,
    values: [member.userId],
  });
  await createRows(
    database.as(Identity.tenant(owner.userId, owner.sessionId).actingFor(id)),
    { tables: ['projects', 'tasks'], text: insertTasks, value: member.userId },
    ({ message }) => report(`the demo organization has no tasks: ${message}`),
  );
}

/** Runs a statement that needs the tables of the example, unless the project has removed them. */
async function createRows(
  tenant: IdentifiedClient,
  { tables, text, value }: { tables: readonly string[]; text: string; value: string },
  failed: (error: Error) => void,
): Promise<void> {
  const { rows } = await tenant.query<{ found: boolean }>({
    text: "select bool_and(to_regclass('app_public.' || name) is not null) as found from unnest($1::text[]) name",
    values: [tables],
  });
  if (!rows[0]?.found) return;
  try {
    await tenant.query({ text, values: [value] });
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    failed(error);
  }
}
