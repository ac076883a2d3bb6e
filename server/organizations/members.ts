import type { Request } from 'express';
import { z } from 'zod';
import { type Actor, audit } from '../auth/audit.ts';
import { allowManyRows } from '../auth/context.ts';
import { type Origin, originOf } from '../auth/origin.ts';
import { Problem } from '../http/problem.ts';
import type { IdentifiedClient, Transaction } from '../tenancy/tenantDatabase.ts';
import { lockOrganization, type Role, requireManager, requireOtherOwner, requireOwner } from './membership.ts';

/** A member, as other members see it. */
export interface Member {
  readonly userId: string;
  readonly username: string;
  readonly role: Role;
  readonly joinedAt: Date;
}

const columns = 'user_id as "userId", username, role, created_at as "joinedAt"';

/** Lists the members of the client's organization, in the order in which they joined. */
export async function listMembers(client: IdentifiedClient): Promise<Member[]> {
  const { rows } = await client.query<Member>({
    name: 'list_members',
    text: `select ${columns} from app_public.organization_members
      where organization_id = app_public.current_organization_id() order by created_at, user_id`,
  });
  return rows;
}

/**
 * Changes the role of a member.
 *
 * @throws Problem 403 unless the user is an owner, or an admin and no owner is concerned; 404 if there is no such member;
 *   409 for the last owner.
 */
export function changeRole(
  client: IdentifiedClient,
  userId: string,
  role: Role,
  origin: Origin,
  actor: Actor,
): Promise<Member> {
  return client.transaction(async (transaction) => {
    const ownRole = await lockOrganization(transaction);
    requireManager(ownRole);
    const current = await findMember(transaction, userId);
    if (current.role === 'owner' || role === 'owner') requireOwner(ownRole);
    if (current.role === 'owner' && role !== 'owner') await requireOtherOwner(transaction, userId);
    const { rows } = await transaction.query<Member & { organizationId: string }>({
      name: 'change_role',
      text: `update app_public.organization_members set role = $2
        where organization_id = app_public.current_organization_id() and user_id = $1
        returning ${columns}, organization_id as "organizationId"`,
      values: [userId, role],
    });
    if (!rows[0]) throw noMember();
    const { organizationId, ...member } = rows[0];
    await transaction.query(audit('member_role_changed', origin, { ...actor, organizationId, memberId: userId }));
    return member;
  });
}

/**
 * Removes a member, who may be the client's user. The member's invitations end, and tasks lose the assignee.
 *
 * @throws Problem as `changeRole`. Members may remove themselves.
 */
export async function removeMember(
  client: IdentifiedClient,
  request: Request<{ userId: string }>,
  actor: Actor,
): Promise<void> {
  const userId = request.params.userId.toLowerCase();
  await client.transaction(async (transaction) => {
    await allowManyRows(transaction, request);
    const ownRole = await lockOrganization(transaction);
    if (userId !== actor.userId) requireManager(ownRole);
    const current = await findMember(transaction, userId);
    if (current.role === 'owner') {
      requireOwner(ownRole);
      await requireOtherOwner(transaction, userId);
    }
    const { rows } = await transaction.query<{ organizationId: string }>({
      name: 'remove_member',
      text: `delete from app_public.organization_members
        where organization_id = app_public.current_organization_id() and user_id = $1
        returning organization_id as "organizationId"`,
      values: [userId],
    });
    // The member has deleted the account since.
    if (!rows[0]) throw noMember();
    await transaction.query(audit('member_removed', originOf(request), { ...actor, ...rows[0], memberId: userId }));
  });
}

const uuid = z.guid();

/** @throws Problem 404 if there is no such member. */
async function findMember({ query }: Transaction, userId: string): Promise<{ role: Role }> {
  const { rows } = await query<{ role: Role }>({
    name: 'find_member',
    text: `select role from app_public.organization_members
      where organization_id = app_public.current_organization_id() and user_id = $1`,
    values: [uuid.safeParse(userId).success ? userId : null],
  });
  if (!rows[0]) throw noMember();
  return rows[0];
}

function noMember(): Problem {
  return new Problem(404, 'The organization has no member with this id.');
}
