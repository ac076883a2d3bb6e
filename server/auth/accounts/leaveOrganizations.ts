import { Problem } from '../../http/problem.ts';
import type { Transaction } from '../../tenancy/tenantDatabase.ts';

/**
 * Prepares the organizations of the signed-in user for the deletion of the account. It deletes those whose only member is
 * the user. The deletion of the account then removes the user from the others.
 *
 * @throws Problem 409 if an organization with other members has no other owner.
 */
export async function leaveOrganizations({ query }: Transaction): Promise<void> {
  const { rows: owned } = await query<{ id: string; name: string }>({
    text: `select o.id, o.name from app_public.organization_members m join app_public.organizations o on o.id = m.organization_id
      where m.user_id = app_public.current_user_id() and m.role = 'owner' order by o.id`,
  });
  for (const { id, name } of owned) {
    await query({ text: "select set_config('app.current_organization_id', $1, true)", values: [id], discard: true });
    // Changes of members take this lock too. The order of ids prevents a deadlock of two owners.
    await query({ text: 'select from app_public.organizations where id = $1 for update', values: [id] });
    const { rows } = await query<{ owners: number; others: number }>({
      text: `select count(*) filter (where role = 'owner')::int as owners, count(*)::int as others
        from app_public.organization_members
        where organization_id = $1 and user_id <> app_public.current_user_id()`,
      values: [id],
    });
    const { owners, others } = rows[0] as (typeof rows)[0];
    if (owners > 0) continue;
    if (others > 0) {
      const advice = 'Make another member an owner first, or delete the organization.';
      throw new Problem(409, `You are the only owner of ${JSON.stringify(name)}, which has other members. ${advice}`);
    }
    await query({ text: 'delete from app_public.organizations where id = $1', values: [id] });
  }
  await query({ text: "select set_config('app.current_organization_id', '', true)", discard: true });
}
