import type { Groups, Scope } from '../catalog.ts';

const organization = 'app.current_organization_id';
const role = 'app.current_member_role';

/** Only owners and admins read these tables of an organization. */
const hidden = ['app_public.organization_invitations'];

const groups: Groups = {
  setting: organization,
  join: `insert into app_public.organization_members (organization_id, user_id, username, role)
    select :group, id, username, 'member' from app_public.users where id = :user on conflict do nothing`,
  member: { [organization]: ':id', [role]: 'member' },
  limited: [
    { name: 'a viewer', set: { [role]: 'viewer' }, mayWrite: false, hidden },
    { name: 'a member', set: { [role]: 'member' }, mayWrite: true, hidden },
  ],
};

/**
 * The scope of Hedgerow's own database. Each tenant is a user who owns an organization with the user's own id, so that one
 * id identifies both kinds of owner.
 */
export const hedgerowScope: Scope = {
  schema: 'app_public',
  role: 'hedgerow_tenant',
  setting: 'app.current_user_id',
  set: { [organization]: ':id', [role]: 'owner' },
  groups,
};
