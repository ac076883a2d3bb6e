import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import { enterOrganization } from '../auth/actFor.ts';
import { type Actor, audit } from '../auth/audit.ts';
import { allowManyRows } from '../auth/context.ts';
import { type Origin, originOf } from '../auth/origin.ts';
import type { IdentifiedClient } from '../tenancy/tenantDatabase.ts';
import { lockOrganization, type Role, requireOwner } from './membership.ts';

/** An organization, as one of its members sees it. */
export interface Organization {
  readonly id: string;
  readonly name: string;
  /** The role of that member. */
  readonly role: Role;
}

/**
 * Creates an organization. Its first member is the client's user, as the owner.
 *
 * @param client runs SQL as that user's account.
 */
export async function createOrganization(
  client: IdentifiedClient,
  name: string,
  origin: Origin,
  actor: Actor,
): Promise<Organization> {
  const id = randomUUID();
  await client.transaction(async (transaction) => {
    await enterOrganization(transaction, id);
    await transaction.query({
      name: 'new_organization',
      text: 'insert into app_public.organizations (id, name) values ($1, $2)',
      values: [id, name],
    });
    await transaction.query({
      name: 'new_owner',
      text: `insert into app_public.organization_members (user_id, username, role)
        select id, username, 'owner' from app_public.users where id = app_public.current_user_id()`,
    });
    await transaction.query(audit('organization_created', origin, { ...actor, organizationId: id }));
  });
  return { id, name, role: 'owner' };
}

/** Lists the organizations of the client's user, by name. @param client runs SQL as that user's account. */
export async function listOrganizations(client: IdentifiedClient): Promise<Organization[]> {
  const { rows } = await client.query<Organization>({
    name: 'list_organizations',
    text: `select o.id, o.name, m.role
      from app_public.organization_members m join app_public.organizations o on o.id = m.organization_id
      where m.user_id = app_public.current_user_id() order by o.name, o.id`,
  });
  return rows;
}

/**
 * Deletes the client's organization with all of its rows. Only the audit log keeps its entries.
 *
 * @throws Problem 403 unless the user is an owner.
 */
export async function deleteOrganization(client: IdentifiedClient, request: Request, actor: Actor): Promise<void> {
  await client.transaction(async (transaction) => {
    await allowManyRows(transaction, request);
    requireOwner(await lockOrganization(transaction));
    const { rows } = await transaction.query<{ id: string }>({
      name: 'delete_organization',
      text: 'delete from app_public.organizations where id = app_public.current_organization_id() returning id',
    });
    await transaction.query(
      audit('organization_deleted', originOf(request), { ...actor, organizationId: rows[0]?.id }),
    );
  });
}
