import type pg from 'pg';
import { databaseOf, inDatabase } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';

/** Postgres hides the statements of other roles from a role that is not a member of pg_read_all_stats. */
const privilege = `select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as all, quote_ident(current_user) as role`;

/**
 * Connects to the target's database as the admin, or as the owner if there is no admin. Prints a warning if that role
 * cannot see the statements of other roles.
 *
 * @param work receives the client, and whether the client sees the statements of other roles.
 */
export function withMonitoringClient<Result>(
  { ownerUrl, adminUrl }: Target,
  work: (client: pg.Client, seesAll: boolean) => Promise<Result>,
): Promise<Result> {
  return withClient(adminUrl ? inDatabase(adminUrl, databaseOf(ownerUrl)) : ownerUrl, async (client) => {
    const { rows } = await client.query(privilege);
    const { all, role } = rows[0];
    if (!all) {
      console.error(
        `Postgres hides the statements of other roles from ${role}. ${adminUrl ? 'Run' : 'Set ROOT_DATABASE_URL, or run'} as an admin: grant pg_read_all_stats to ${role}`,
      );
    }
    return work(client, all);
  });
}
