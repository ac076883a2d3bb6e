import type { Request } from 'express';
import { actFor } from '../auth/actFor.ts';
import { type AuthContext, signedInUser } from '../auth/context.ts';
import { Problem } from '../http/problem.ts';
import type { IdentifiedClient, Transaction } from '../tenancy/tenantDatabase.ts';

/** The roles of members, the most powerful first. */
export const roles = ['owner', 'admin', 'member', 'viewer'] as const;

export type Role = (typeof roles)[number];

/**
 * Returns a client that runs SQL as sign-in for the signed-in user, acting for the organization in the request's path. It
 * fails with 403 unless the user is a member.
 */
export function asMember(
  { database }: AuthContext,
  request: Request<{ id: string }>,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): IdentifiedClient {
  const { account } = actFor(signedInUser(request as Request), request.params.id);
  return database.as(account, { cancellation: request.cancellation, readOnly });
}

/**
 * Locks the current organization until the transaction ends, so that changes of its members wait for each other: two
 * owners cannot remove each other, and a demoted admin cannot go on.
 *
 * @returns the user's role under the lock; `undefined` if the user is not a member, or the organization does not exist.
 */
export async function lockOrganization({ query }: Transaction): Promise<Role | undefined> {
  await query({
    name: 'lock_organization',
    // Not `for update`, which would make every new task wait: its foreign key locks the organization's row.
    text: 'select from app_public.organizations where id = app_public.current_organization_id() for no key update',
  });
  // A statement of its own, because it must see what the previous holder of the lock has changed.
  const { rows } = await query<{ role: Role }>({
    name: 'own_role',
    text: `select role from app_public.organization_members
      where organization_id = app_public.current_organization_id() and user_id = app_public.current_user_id()`,
  });
  return rows[0]?.role;
}

/** Checks that an owner or an admin acts. @throws Problem 403 */
export function requireManager(role: Role | undefined): asserts role is 'owner' | 'admin' {
  if (role !== 'owner' && role !== 'admin')
    throw new Problem(403, 'Only owners and admins of the organization may do this.');
}

/**
 * Checks before a transaction that the client's user is an owner or an admin. The transaction checks again.
 *
 * @throws Problem 403
 */
export async function requireManagerOf(client: IdentifiedClient): Promise<void> {
  const { rows } = await client.query<{ role: Role }>({
    name: 'current_role',
    text: 'select app_public.current_member_role() as role',
  });
  requireManager(rows[0]?.role);
}

/** Checks that an owner acts. @throws Problem 403 */
export function requireOwner(role: Role | undefined): asserts role is 'owner' {
  if (role !== 'owner') throw new Problem(403, 'Only owners of the organization may do this.');
}

/**
 * Checks that the organization has an owner with an active account other than `userId`.
 *
 * @throws Problem 409
 */
export async function requireOtherOwner({ query }: Transaction, userId: string): Promise<void> {
  const { rows } = await query({
    name: 'other_owner',
    text: `select from app_public.organization_members m
      join app_private.credentials c on c.user_id = m.user_id and c.is_active
      where m.organization_id = app_public.current_organization_id() and m.role = 'owner' and m.user_id <> $1 limit 1`,
    values: [userId],
  });
  if (rows.length === 0) {
    throw new Problem(
      409,
      'An organization needs an owner. Make another member an owner first, or delete the organization.',
    );
  }
}
