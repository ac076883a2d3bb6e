import type pg from 'pg';
import { databaseOf, inDatabase } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';

/** Who may see what other roles run: without it Postgres hides their statements. */
const mayLook = `select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as all, quote_ident(current_user) as role`;

/**
 * Connects to the target's database as who may see most, and says it where that is not all.
 *
 * @param work is told whether it sees what other roles run.
 */
export function lookAt<Result>(
  { ownerUrl, adminUrl }: Target,
  work: (client: pg.Client, seesAll: boolean) => Promise<Result>,
): Promise<Result> {
  return withClient(adminUrl ? inDatabase(adminUrl, databaseOf(ownerUrl)) : ownerUrl, async (client) => {
    const { rows } = await client.query(mayLook);
    const { all, role } = rows[0];
    if (!all) {
      console.error(
        `What other roles run is hidden from ${role}: ${adminUrl ? '' : 'set ROOT_DATABASE_URL, or '}as an admin who may: grant pg_read_all_stats to ${role}`,
      );
    }
    return work(client, all);
  });
}
