import type pg from 'pg';
import { withClient } from './client.ts';
import { inDatabase } from './scratch.ts';
import type { Target } from './target.ts';

/** Who may see what other roles run: without it Postgres hides their statements. */
const mayLook = `select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as all`;

/** Connects to the target's database as who may see most, and says it where that is not all. */
export function lookAt<Result>(
  { ownerUrl, adminUrl }: Target,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const database = decodeURIComponent(new URL(ownerUrl).pathname.slice(1));
  return withClient(adminUrl ? inDatabase(adminUrl, database) : ownerUrl, async (client) => {
    const { rows } = await client.query(mayLook);
    if (!rows[0].all)
      console.error(
        'What other roles run is hidden from this role: set ROOT_DATABASE_URL, or as an admin: grant pg_read_all_stats to hedgerow_owner',
      );
    return work(client);
  });
}
