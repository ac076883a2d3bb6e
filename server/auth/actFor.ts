import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { Transaction } from '../tenancy/tenantDatabase.ts';

// Not z.uuid(), because Postgres accepts more UUIDs.
const uuid = z.guid().toLowerCase();

/** No organization has this id. */
const noOrganizationId = '00000000-0000-0000-0000-000000000000';

/**
 * Returns the user as a member of an organization: every transaction checks the membership, and fails with a
 * MembershipRefusedError without one.
 *
 * @param organizationId from the client. A malformed id runs the same statement, so that it is answered like the id of a
 *   foreign organization, and with 401 if the session has ended.
 */
export function actFor(user: Express.User, organizationId: string): Express.User {
  const known = latest.get(user);
  if (known?.organizationId === organizationId) return known;
  const { data: id = noOrganizationId } = uuid.safeParse(organizationId);
  const { identity, account } = user;
  const acting = { ...user, identity: identity.actingFor(id), account: account.actingFor(id), organizationId: id };
  latest.set(user, acting);
  return acting;
}

/** Each user as a member of the organization of the latest request, because most users stay in one for a while. */
const latest = new WeakMap<Express.User, Express.User>();

/** Lets the signed-in user act for the organization in the header `X-Organization-Id`, if there is one. */
export const actForHeader: RequestHandler = (request, _response, next) => {
  const organizationId = request.get('x-organization-id');
  if (request.user && organizationId !== undefined) request.user = actFor(request.user, organizationId);
  next();
};

/**
 * Lets the rest of a transaction of sign-in act for an organization, without a membership: one that the user creates or joins,
 * or each of the user's own in turn. The empty text ends it.
 */
export async function enterOrganization({ query }: Transaction, organizationId: string): Promise<void> {
  await query({
    name: 'enter_organization',
    text: "select set_config('app.current_organization_id', $1, true)",
    values: [organizationId],
    discard: true,
  });
}
