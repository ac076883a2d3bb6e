import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { guard } from './guard.ts';
import { neonPooler } from './pooler.ts';
import type { Target } from './target.ts';

/**
 * Checks that the target has a shadow database that may be erased.
 *
 * @throws UsageError if it has none, if no role may create it again, or if the database is in use.
 */
export async function demandShadow(target: Target): Promise<void> {
  const { shadowUrl, adminUrl } = target;
  if (!shadowUrl || !adminUrl) {
    throw new UsageError(
      'This command needs a shadow database, which it erases. Set SHADOW_DATABASE_URL (user hedgerow_owner) and ROOT_DATABASE_URL (a role that may create databases).',
    );
  }
  demandAdmin(target);
  if (place(shadowUrl) === place(target.ownerUrl)) {
    throw new UsageError(
      'SHADOW_DATABASE_URL and DATABASE_URL_DIRECT point at the same database, and the shadow database is erased. Set SHADOW_DATABASE_URL to another one.',
    );
  }
  await guard('SHADOW_DATABASE_URL', shadowUrl, hasUsers);
}

function place(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return [hostname, port || '5432', pathname].join(' ');
}

/** A shadow database never has users. Its owner cannot read the rows, so the size of the table shows whether it has any. */
async function hasUsers(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query("select pg_relation_size(to_regclass('app_public.users')) > 0 as used");
  return rows[0].used
    ? 'The database of SHADOW_DATABASE_URL has users, and the shadow database is erased. Use another database.'
    : undefined;
}

/** Returns the admin's connection string. @throws UsageError without one, or if it points at a pooler. */
export function demandAdmin({ adminUrl }: Target): string {
  const pooler = adminUrl && neonPooler('ROOT_DATABASE_URL', adminUrl);
  if (pooler) throw new UsageError(pooler);
  if (adminUrl) return adminUrl;
  throw new UsageError('Set ROOT_DATABASE_URL to a role that may create and drop databases.');
}
