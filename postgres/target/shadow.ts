import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { guard } from './guard.ts';
import { neonPooler } from './pooler.ts';
import type { Target } from './target.ts';

/**
 * Has a shadow database that may be erased.
 *
 * @throws UsageError where there is none, or nobody who may build it again, or where it is a database that somebody uses.
 */
export async function demandShadow(target: Target): Promise<void> {
  const { shadowUrl, adminUrl } = target;
  if (!shadowUrl || !adminUrl) {
    throw new UsageError(
      'A shadow database is needed, which is erased: set SHADOW_DATABASE_URL (user hedgerow_owner) and ROOT_DATABASE_URL (a role that may create databases).',
    );
  }
  demandAdmin(target);
  if (place(shadowUrl) === place(target.ownerUrl)) {
    throw new UsageError(
      'SHADOW_DATABASE_URL is the database of DATABASE_URL_DIRECT, and the shadow database is erased: name another one.',
    );
  }
  await guard('SHADOW_DATABASE_URL', shadowUrl, hasUsers);
}

function place(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return [hostname, port || '5432', pathname].join(' ');
}

/** Migrations make tables, and nobody signs up to a shadow database. Its owner sees no rows, but that there are some. */
async function hasUsers(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query("select pg_relation_size(to_regclass('app_public.users')) > 0 as used");
  return rows[0].used
    ? 'The database of SHADOW_DATABASE_URL has users, and the shadow database is erased: name another one.'
    : undefined;
}

/** @throws UsageError where nobody may create databases, or only through a pooler. */
export function demandAdmin({ adminUrl }: Target): string {
  const pooler = adminUrl && neonPooler('ROOT_DATABASE_URL', adminUrl);
  if (pooler) throw new UsageError(pooler);
  if (adminUrl) return adminUrl;
  throw new UsageError('Set ROOT_DATABASE_URL to a role that may create and drop databases.');
}
