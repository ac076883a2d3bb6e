import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';

/** An active session, as its owner sees it. */
export interface Session {
  readonly id: string;
  readonly createdAt: Date;
  /** The time of the last refresh. */
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  /** The address from which the session began. */
  readonly address: string | null;
  readonly userAgent: string | null;
  /** This is the session of the request. */
  readonly current: boolean;
}

/**
 * Lists the active sessions of the client's user, the newest first.
 *
 * @param client runs SQL as that user's account.
 * @param currentId the session of the request.
 */
export async function listSessions(client: IdentifiedClient, currentId: string | undefined): Promise<Session[]> {
  const { rows } = await client.query<Session>({
    name: 'list_sessions',
    text: `select id, created_at as "createdAt", last_used_at as "lastUsedAt", expires_at as "expiresAt",
        host(address) as address, user_agent as "userAgent", id is not distinct from $1 as current
      from app_private.sessions
      where user_id = app_public.current_user_id() and revoked_at is null and expires_at > now()
      order by created_at desc, id`,
    values: [currentId ?? null],
  });
  return rows;
}
