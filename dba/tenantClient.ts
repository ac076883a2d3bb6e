import type pg from 'pg';
import { UsageError } from '../common/usageError.ts';
import type { Target } from '../postgres/target/target.ts';
import { withClient } from '../postgres/withClient.ts';

/** Sets the identity of a tenant's transaction, with the same settings as the server. Parameter: the user id. */
const setIdentity = "select set_config('role', 'hedgerow_tenant', true), set_config('app.current_user_id', $1, true)";

/**
 * Runs `work` as a tenant, in one transaction on a connection of the server's role, and rolls the transaction back.
 *
 * @param user a user id, or the email address of the account.
 * @throws UsageError if there is no such account, or if DATABASE_URL is not set.
 */
export function asTenant<Result>(
  target: Target,
  user: string,
  work: (client: pg.Client, userId: string) => Promise<Result>,
): Promise<Result> {
  return withClient(demandServer(target), async (client) => {
    const userId = await findUser(client, user);
    await client.query('begin');
    try {
      await client.query(setIdentity, [userId]);
      return await work(client, userId);
    } finally {
      await client.query('rollback');
    }
  });
}

/** The connection string of the server's role. @throws UsageError if DATABASE_URL is not set. */
export function demandServer({ serverUrl }: Target): string {
  if (serverUrl) return serverUrl;
  throw new UsageError(
    'DATABASE_URL is not set. Set it to a connection of hedgerow_authenticator: only that role may become a tenant.',
  );
}

async function findUser(client: pg.Client, user: string): Promise<string> {
  await client.query('begin');
  try {
    await client.query("select set_config('role', 'hedgerow_auth', true)");
    const { rows } = await client.query('select id from app_public.users where id::text = $1 or email = lower($1)', [
      user,
    ]);
    if (!rows[0]) throw new UsageError(`There is no user with the id or email address ${user}. Check --as.`);
    return rows[0].id;
  } finally {
    await client.query('rollback');
  }
}
