import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { enterOrganization } from '../auth/actFor.ts';
import { type Actor, audit } from '../auth/audit.ts';
import type { Origin } from '../auth/origin.ts';
import { Problem } from '../http/problem.ts';
import type { IdentifiedClient, Transaction } from '../tenancy/tenantDatabase.ts';
import { lockOrganization, type Role, requireManager, requireOwner } from './membership.ts';
import type { Organization } from './organizations.ts';

/** Invitations of an organization that have neither been accepted nor expired. */
const maxOpen = 100;

/** An invitation, as managers of the organization see it. */
export interface Invitation {
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly expiresAt: Date;
}

/** An invitation, and the parts of its message. */
interface NewInvitation {
  readonly invitation: Invitation;
  readonly token: string;
  readonly organization: string;
  readonly invitedBy: string;
}

const columns = 'id, email, role, expires_at as "expiresAt"';

/**
 * Invites an address. It replaces an earlier invitation of the address to the same organization.
 *
 * @throws Problem 403 unless the user is an owner, or an admin and no owner is invited; 409 if the address belongs to a member,
 *   or the organization has too many invitations.
 */
export function invite(
  client: IdentifiedClient,
  { email, role }: { email: string; role: Role },
  origin: Origin,
  actor: Actor,
): Promise<NewInvitation> {
  return client.transaction(async (transaction) => {
    const { query } = transaction;
    const ownRole = await lockOrganization(transaction);
    requireManager(ownRole);
    if (role === 'owner') requireOwner(ownRole);
    await query({
      name: 'expire_invitations',
      text: `delete from app_public.organization_invitations
        where organization_id = app_public.current_organization_id() and expires_at < now()`,
    });
    const { rows: found } = await query<Found>({ name: 'before_invitation', text: beforeInvitation, values: [email] });
    const { organizationId, organization, invitedBy, isMember, invitedAs, others } = found[0] as Found;
    if (invitedAs === 'owner') requireOwner(ownRole);
    if (isMember) throw new Problem(409, 'This address belongs to a member of the organization already.');
    if (others >= maxOpen) {
      throw new Problem(409, `The organization has ${maxOpen} open invitations. Revoke some of them first.`);
    }
    const token = newToken(organizationId);
    const { rows } = await query<Invitation>({
      name: 'new_invitation',
      text: `insert into app_public.organization_invitations (id, email, role, token_hash, invited_by, expires_at)
        values (gen_random_uuid(), $1, $2, $3, app_public.current_user_id(), now() + interval '7 days')
        on conflict (organization_id, email) do update
        set id = excluded.id, role = excluded.role, token_hash = excluded.token_hash, invited_by = excluded.invited_by,
          created_at = now(), expires_at = excluded.expires_at
        returning ${columns}`,
      values: [email, role, hashOf(token)],
    });
    await query(audit('member_invited', origin, { ...actor, organizationId }));
    return { invitation: rows[0] as Invitation, token, organization, invitedBy };
  });
}

interface Found {
  readonly organizationId: string;
  readonly organization: string;
  readonly invitedBy: string;
  readonly isMember: boolean;
  /** The role of the invitation that the new one replaces. */
  readonly invitedAs: Role | null;
  readonly others: number;
}

const beforeInvitation = `select o.id as "organizationId", o.name as organization, me.username as "invitedBy",
    exists (
      select from app_public.users u join app_public.organization_members m on m.user_id = u.id
      where u.email = $1 and m.organization_id = o.id
    ) as "isMember",
    (select i.role from app_public.organization_invitations i
     where i.organization_id = o.id and i.email = $1) as "invitedAs",
    (select count(*)::int from app_public.organization_invitations i
     where i.organization_id = o.id and i.email <> $1) as others
  from app_public.organizations o, app_public.users me
  where o.id = app_public.current_organization_id() and me.id = app_public.current_user_id()`;

/** Lists the open invitations of the client's organization, the newest first. @throws Problem 403 unless a manager asks. */
export async function listInvitations(client: IdentifiedClient): Promise<Invitation[]> {
  const { rows } = await client.query<{ role: Role; invitations: Invitation[] }>({
    name: 'list_invitations',
    text: `select app_public.current_member_role() as role, coalesce((
        select json_agg(json_build_object('id', id, 'email', email, 'role', role, 'expiresAt', expires_at)
          order by created_at desc, id)
        from app_public.organization_invitations
        where organization_id = app_public.current_organization_id() and expires_at > now()
      ), '[]') as invitations`,
  });
  const [{ role, invitations }] = rows as [(typeof rows)[0]];
  requireManager(role);
  return invitations.map((invitation) => ({ ...invitation, expiresAt: new Date(invitation.expiresAt) }));
}

const uuid = z.guid();

/** Revokes an invitation. @throws Problem 403 unless the user is an owner or an admin; 404 if there is no such invitation. */
export async function revokeInvitation(
  client: IdentifiedClient,
  invitationId: string,
  origin: Origin,
  actor: Actor,
): Promise<void> {
  await client.transaction(async (transaction) => {
    const ownRole = await lockOrganization(transaction);
    requireManager(ownRole);
    const { rows } = await transaction.query<{ organizationId: string; role: Role }>({
      name: 'revoke_invitation',
      text: `delete from app_public.organization_invitations
        where organization_id = app_public.current_organization_id() and id = $1
        returning organization_id as "organizationId", role`,
      values: [uuid.safeParse(invitationId).success ? invitationId : null],
    });
    if (!rows[0]) throw new Problem(404, 'The organization has no invitation with this id.');
    const { organizationId, role } = rows[0];
    if (role === 'owner') requireOwner(ownRole);
    await transaction.query(audit('invitation_revoked', origin, { ...actor, organizationId }));
  });
}

/**
 * Makes the client's user a member. A user who is a member already keeps the role. The inviter must still have the right to
 * give the role.
 *
 * @param client runs SQL as that user's account.
 * @throws Problem 403, the same in all cases: the token is wrong, was used, has expired or was revoked, or the invitation
 *   was sent to another address than the user's.
 */
export function acceptInvitation(
  client: IdentifiedClient,
  token: string,
  origin: Origin,
  actor: Actor,
): Promise<Organization> {
  return client.transaction(async (transaction) => {
    const organizationId = organizationOf(token);
    await enterOrganization(transaction, organizationId);
    // In the order in which a deletion of the account locks: first the user, then the organization.
    await transaction.query({
      name: 'lock_user',
      text: 'select from app_public.users where id = app_public.current_user_id() for key share',
    });
    // Without a lock, so that only invited users can make the organization's managers wait.
    const { rows: found } = await transaction.query({
      name: 'find_invitation',
      text: `select from app_public.organization_invitations
        where organization_id = app_public.current_organization_id() and token_hash = $1`,
      values: [hashOf(token)],
    });
    if (found.length === 0) throw invitationRefused();
    const ownRole = await lockOrganization(transaction);
    const { rows: taken } = await transaction.query<{ role: Role; username: string }>({
      name: 'take_invitation',
      text: `delete from app_public.organization_invitations i
        using app_public.users u, app_public.organization_members inviter
        where i.organization_id = app_public.current_organization_id() and i.token_hash = $1 and i.expires_at > now()
          and u.id = app_public.current_user_id() and u.email = i.email
          and inviter.organization_id = i.organization_id and inviter.user_id = i.invited_by
          and (inviter.role = 'owner' or inviter.role = 'admin' and i.role <> 'owner')
        returning i.role, u.username`,
      values: [hashOf(token)],
    });
    if (!taken[0]) throw invitationRefused();
    if (!ownRole) await join(transaction, taken[0]);
    await transaction.query(audit('invitation_accepted', origin, { ...actor, organizationId, memberId: actor.userId }));
    const { rows } = await transaction.query<{ id: string; name: string }>({
      name: 'organization',
      text: 'select id, name from app_public.organizations where id = app_public.current_organization_id()',
    });
    return { ...(rows[0] as (typeof rows)[0]), role: ownRole ?? taken[0].role };
  });
}

function invitationRefused(): Problem {
  return new Problem(403, 'The invitation is wrong, was used, has expired, or is for another mail address.');
}

async function join({ query }: Transaction, { username, role }: { username: string; role: Role }): Promise<void> {
  await query({
    name: 'new_member',
    text: `insert into app_public.organization_members (user_id, username, role)
      values (app_public.current_user_id(), $1, $2)`,
    values: [username, role],
  });
}

// A token has two parts: the id of the organization, because only its rows are visible to the transaction, and 256 random
// bits.
const idBytes = 16;

function newToken(organizationId: string): string {
  const id = Buffer.from(organizationId.replaceAll('-', ''), 'hex');
  return Buffer.concat([id, randomBytes(32)]).toString('base64url');
}

/** Returns the id in the token. Any text has one, but usually of no organization. */
function organizationOf(token: string): string {
  const hex = Buffer.concat([Buffer.from(token, 'base64url'), Buffer.alloc(idBytes)])
    .subarray(0, idBytes)
    .toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(Buffer.from(token, 'base64url')).digest();
}
