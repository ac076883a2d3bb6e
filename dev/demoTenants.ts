import pg from 'pg';
import { register } from '../server/auth/accounts/register.ts';
import { Problem } from '../server/http/problem.ts';
import { Identity } from '../server/tenancy/identity.ts';
import type { Database, IdentifiedClient } from '../server/tenancy/tenantDatabase.ts';

/** Two tenants to try the API with. They exist only in the embedded development database. */
export const demoTenants = [
  { email: 'ada@example.com', username: 'ada', password: 'ada-demo-password' },
  { email: 'bob@example.com', username: 'bob', password: 'bob-demo-password' },
] as const;

const nowhere = { address: undefined, userAgent: undefined };

/**
 * Creates the missing demo tenants, with a list and two todos each.
 *
 * @param report receives a sentence if a tenant has no rows, because the example tables were removed or changed.
 */
export async function createDemoTenants(database: Database, report: (sentence: string) => void): Promise<void> {
  for (const tenant of demoTenants) {
    try {
      const { user, sessionId } = await register(database.as(Identity.signIn), tenant, nowhere);
      await createRows(database.as(Identity.tenant(user.id, sessionId)), tenant.username, report);
    } catch (error) {
      if (!(error instanceof Problem && error.status === 409)) throw error;
    }
  }
}

async function createRows(tenant: IdentifiedClient, username: string, report: (sentence: string) => void) {
  const { rows } = await tenant.query<{ found: boolean }>({
    text: "select to_regclass('app_public.todos') is not null and to_regclass('app_public.lists') is not null as found",
  });
  if (!rows[0]?.found) return;
  try {
    await tenant.query({
      text: `with list as (insert into app_public.lists (name) values ('Home') returning id)
        insert into app_public.todos (list_id, title, priority)
        select id, title, priority from list, (values ($1, 3), ('Water the hedge', 1)) as todo (title, priority)`,
      values: [`${username}'s first todo`],
    });
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    report(`the demo tenant ${username} has no todos: ${error.message}`);
  }
}
