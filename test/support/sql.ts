import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { TestDatabase } from './database.ts';

/** The SQLSTATE that `work` fails with; undefined when it does not fail. */
export async function sqlState(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof pg.DatabaseError) return error.code;
    throw error;
  }
}

/** An active account with a living session, made without the work of a sign-in. */
export async function createAccount(db: TestDatabase, name: string): Promise<{ id: string; sessionId: string }> {
  const [id, sessionId] = [randomUUID(), randomUUID()];
  await db.asAdmin(
    `with account as (
      insert into app_public.users (id, email, username) values ($1, $2 || '@example.com', $2) returning id
    ), secret as (
      insert into app_private.credentials (user_id, password_hash) select id, '$argon2id$none' from account
    )
    insert into app_private.sessions (id, user_id, refresh_token_hash, expires_at)
    select $3, id, sha256(id::text::bytea), now() + interval '1 hour' from account`,
    [id, name, sessionId],
  );
  return { id, sessionId };
}
