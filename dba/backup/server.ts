import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { databaseOf, inDatabase } from '../../postgres/target/scratch.ts';
import { demandAdmin } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';

/**
 * Returns the admin's connection string for the target's database.
 *
 * @throws UsageError if ROOT_DATABASE_URL is not set.
 */
export function adminInside(target: Target): string {
  return inDatabase(demandAdmin(target), databaseOf(target.ownerUrl));
}

/**
 * Checks that the admin bypasses row-level security. Otherwise a backup would lack rows.
 *
 * @returns the major version of the server, such as 18.
 * @throws UsageError if row-level security applies to the admin.
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
    'Row-level security hides rows from the role of ROOT_DATABASE_URL, so the backup would be incomplete. Set ROOT_DATABASE_URL to a superuser or to a role with BYPASSRLS.',
  );
}
