import { UsageError } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';

/**
 * Refuses an admin of another server than the target's: what databases of the same name it has there would be copied,
 * renamed and dropped. A server tells itself by when it was started; where one does not answer, the verb says so.
 */
export async function demandSameServer({ adminUrl, ownerUrl }: Target): Promise<void> {
  if (!adminUrl || host(adminUrl) === host(ownerUrl)) return;
  const [admin, owner] = await Promise.all([adminUrl, ownerUrl].map((url) => started(url).catch(() => undefined)));
  if (admin === undefined || owner === undefined || admin === owner) return;
  throw new UsageError(
    `ROOT_DATABASE_URL leads to another server (${host(adminUrl)}) than DATABASE_URL_DIRECT (${host(ownerUrl)}): name an admin of the same one.`,
  );
}

function host(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || 5432}`;
}

async function started(url: string): Promise<string> {
  const question = 'select extract(epoch from pg_postmaster_start_time())::text as started';
  return (await withClient(url, (client) => client.query(question))).rows[0].started;
}
