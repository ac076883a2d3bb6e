import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { databaseOf, inDatabase } from '../../postgres/target/scratch.ts';
import { demandAdmin } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';

/**
 * The admin's connection to the target's own database.
 *
 * @throws UsageError without ROOT_DATABASE_URL.
 */
export function adminInside(target: Target): string {
  return inDatabase(demandAdmin(target), databaseOf(target.ownerUrl));
}

/**
 * The major version of the admin's server, such as 18.
 *
 * @throws UsageError where row-level security binds the admin: what it copied would lack rows.
 */
export async function demandFreeAdmin(adminUrl: string): Promise<number> {
  const { free, version } = await withClient(adminUrl, async (admin: pg.Client) => {
    const { rows } = await admin.query<{ free: boolean; version: string }>(
      `select rolsuper or rolbypassrls as free, current_setting('server_version_num') as version
       from pg_roles where rolname = current_user`,
    );
    return rows[0] as { free: boolean; version: string };
  });
  if (free) return Math.floor(Number(version) / 10_000);
  throw new UsageError(
    'Row-level security is forced on every role but a superuser and one with BYPASSRLS, and any other would copy tables without their rows: set ROOT_DATABASE_URL to such a role.',
  );
}
