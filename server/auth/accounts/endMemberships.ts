import { Problem } from '../../http/problem.ts';
import type { Transaction } from '../../tenancy/tenantDatabase.ts';
import { enterOrganization } from '../actFor.ts';
import { type Actor, audit } from '../audit.ts';
import type { Origin } from '../origin.ts';

/**
 * Removes the signed-in user from all organizations before the account is deleted, and deletes organizations without another
 * member.
 *
 * @throws Problem 409 if an organization with other members has no other owner with an active account.
 */
export async function endMemberships(transaction: Transaction, origin: Origin, actor: Actor): Promise<void> {
  const { query } = transaction;
  const { userId } = actor;
  // A new membership locks the user's row by its foreign key. So there are none from here on.
  await query({ text: 'select from app_public.users where id = $1 for update', values: [userId] });
  const { rows: memberships } = await query<{ id: string }>({
    text: 'select organization_id as id from app_public.organization_members where user_id = $1 order by 1',
    values: [userId],
  });
  for (const { id } of memberships) {
    await enterOrganization(transaction, id);
    // Changes of members take this lock too. The order of ids prevents a deadlock of two users.
    const { rows: locked } = await query<{ name: string }>({
      text: 'select name from app_public.organizations where id = $1 for no key update',
      values: [id],
    });
    const { rows } = await query<{ role: string; owners: number; others: number }>({
      text: `select own.role, count(c.user_id)::int as owners, count(m.user_id)::int as others
        from app_public.organization_members own
        left join app_public.organization_members m on m.organization_id = own.organization_id and m.user_id <> own.user_id
        left join app_private.credentials c on c.user_id = m.user_id and c.is_active and m.role = 'owner'
        where own.organization_id = $1 and own.user_id = $2 group by own.role`,
      values: [id, userId],
    });
    // Another owner has deleted the organization or removed the user while this transaction waited.
    if (!locked[0] || !rows[0]) continue;
    const { role, owners, others } = rows[0];
    if (role === 'owner' && owners === 0 && others > 0) {
      const name = JSON.stringify(locked[0].name);
      const advice = 'Make another member an owner first, or delete the organization.';
      throw new Problem(409, `You are the only owner of ${name}, which has other members. ${advice}`);
    }
    const event = others === 0 ? 'organization_deleted' : 'member_removed';
    await query(
      others === 0
        ? { text: 'delete from app_public.organizations where id = $1', values: [id] }
        : {
            text: 'delete from app_public.organization_members where organization_id = $1 and user_id = $2',
            values: [id, userId],
          },
    );
    await query(audit(event, origin, { ...actor, organizationId: id, memberId: others === 0 ? undefined : userId }));
  }
  await enterOrganization(transaction, '');
}
