import { UsageError } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';

/**
 * Checks that ROOT_DATABASE_URL and DATABASE_URL_DIRECT lead to the same server. Otherwise the admin would copy, rename
 * and drop databases of the same name on another server. Start times identify the servers. If one does not respond, the
 * check passes and the subcommand reports the connection error itself.
 *
 * @throws UsageError if the servers differ.
 */
export async function demandSameServer({ adminUrl, ownerUrl }: Target): Promise<void> {
  if (!adminUrl || host(adminUrl) === host(ownerUrl)) return;
  const [admin, owner] = await Promise.all([adminUrl, ownerUrl].map((url) => started(url).catch(() => undefined)));
  if (admin === undefined || owner === undefined || admin === owner) return;
  throw new UsageError(
    `ROOT_DATABASE_URL (${host(adminUrl)}) and DATABASE_URL_DIRECT (${host(ownerUrl)}) lead to different servers. Set ROOT_DATABASE_URL to an admin of the same server.`,
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
