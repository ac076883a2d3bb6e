import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';

/** A living session, as its owner sees it. */
export interface Session {
  readonly id: string;
  readonly createdAt: Date;
  /** When it was last refreshed. */
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  /** From where it was begun. */
  readonly address: string | null;
  readonly userAgent: string | null;
  /** It is the one that asks. */
  readonly current: boolean;
}

/** The living sessions of the user that `client` is the account of, the newest first; `currentId` is the one that asks. */
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
