import type { Database } from '../../database/database.ts';
import { Identity } from '../../database/identity.ts';
import { Problem } from '../problem.ts';
import { register } from './register.ts';

/** Two tenants to try the API with. Only ever made in the embedded development database. */
export const demoTenants = [
  { email: 'ada@example.com', username: 'ada', password: 'ada-demo-password' },
  { email: 'bob@example.com', username: 'bob', password: 'bob-demo-password' },
] as const;

const nowhere = { address: undefined, userAgent: undefined };

/** Creates the demo tenants that are not there yet, with a list and two todos each. */
export async function createDemoTenants(database: Database): Promise<void> {
  for (const tenant of demoTenants) {
    try {
      const { user, sessionId } = await register(database.as(Identity.signIn), tenant, nowhere);
      await database.as(Identity.tenant(user.id, sessionId)).query({
        text: `with list as (insert into app_public.lists (name) values ('Home') returning id)
          insert into app_public.todos (list_id, title, priority)
          select id, title, priority from list, (values ($1, 3), ('Water the hedge', 1)) as todo (title, priority)`,
        values: [`${tenant.username}'s first todo`],
      });
    } catch (error) {
      if (!(error instanceof Problem && error.status === 409)) throw error;
    }
  }
}
