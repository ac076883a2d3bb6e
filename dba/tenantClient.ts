import type pg from 'pg';
import { UsageError } from '../common/usageError.ts';
import type { Target } from '../postgres/target/target.ts';
import { withClient } from '../postgres/withClient.ts';

/** The settings of hedgerow_tenant's transaction that speaks for `userId`, as the server makes them. */
const become = "select set_config('role', 'hedgerow_tenant', true), set_config('app.current_user_id', $1, true)";

/**
 * Works as a tenant in one transaction on the server's own connection, and rolls it back.
 *
 * @param user a user's id, or the address of their account.
 * @throws UsageError where there is no such account, or no connection of the server's.
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
      await client.query(become, [userId]);
      return await work(client, userId);
    } finally {
      await client.query('rollback');
    }
  });
}

/** @throws UsageError where the server's own connection is not known. */
export function demandServer({ serverUrl }: Target): string {
  if (serverUrl) return serverUrl;
  throw new UsageError(
    'Set DATABASE_URL to the connection of hedgerow_authenticator: only that role may become a tenant.',
  );
}

async function findUser(client: pg.Client, user: string): Promise<string> {
  await client.query('begin');
  try {
    await client.query("select set_config('role', 'hedgerow_auth', true)");
    const { rows } = await client.query('select id from app_public.users where id::text = $1 or email = lower($1)', [
      user,
    ]);
    if (!rows[0]) throw new UsageError(`There is no user with the id or the address ${user}.`);
    return rows[0].id;
  } finally {
    await client.query('rollback');
  }
}
