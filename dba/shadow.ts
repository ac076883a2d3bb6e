import type { Target } from './target.ts';
import { UsageError } from './verb.ts';

/** @throws UsageError where there is no shadow database, or nobody who may build it anew. */
export function demandShadow({ shadowUrl, adminUrl }: Target): void {
  if (shadowUrl && adminUrl) return;
  throw new UsageError(
    'A shadow database is needed, which is erased: set SHADOW_DATABASE_URL (user hedgerow_owner) and ROOT_DATABASE_URL (a role that may create databases).',
  );
}

/** @throws UsageError where nobody may create databases. */
export function demandAdmin({ adminUrl }: Target): string {
  if (adminUrl) return adminUrl;
  throw new UsageError('Set ROOT_DATABASE_URL to a role that may create and drop databases.');
}
