import type pg from 'pg';
import type { Account } from '../api/accounts.ts';

/**
 * Creates an organization that has the user's id and that the user owns.
 *
 * @param admin connected to a scratch database, as a role that bypasses row-level security.
 * @returns the account, which acts for the organization.
 */
export async function withOrganization(admin: Pick<pg.ClientBase, 'query'>, account: Account): Promise<Account> {
  const { id, name } = account;
  await admin.query('insert into app_public.organizations (id, name) values ($1, $2)', [id, `organization of ${name}`]);
  await admin.query(
    `insert into app_public.organization_members (organization_id, user_id, username, role)
     select id, id, username, 'owner' from app_public.users where id = $1`,
    [id],
  );
  return { ...account, organizationId: id };
}
