import { z } from 'zod';

const uuid = z.uuid().toLowerCase();

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
  const { data: id = noOrganizationId } = uuid.safeParse(organizationId);
  const { identity, account } = user;
  return { ...user, identity: identity.actingFor(id), account: account.actingFor(id), organizationId: id };
}
