import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Statement } from '../../postgres/statement.ts';
import type { Database } from '../../server/tenancy/tenantDatabase.ts';
import type { TestDatabase } from './database.ts';

/** Returns the SQLSTATE of the error of `work`; undefined if it succeeds. */
export async function sqlState(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof pg.DatabaseError) return error.code;
    throw error;
  }
}

/** Creates an active account with a session directly in the database, without password hashing. */
export async function createAccount(db: TestDatabase, name: string): Promise<{ id: string; sessionId: string }> {
  const [id, sessionId] = [randomUUID(), randomUUID()];
  await db.asAdmin(
    `with account as (
      insert into app_public.users (id, email, username) values ($1, $2 || '@example.com', $2) returning id
    ), secret as (
      insert into app_private.credentials (user_id, password_hash) select id, '$argon2id$none' from account
    )
    insert into app_private.sessions (id, user_id, family_hash, refresh_token_hash, expires_at)
    select $3, id, sha256(id::text::bytea), sha256(id::text::bytea), now() + interval '1 hour' from account`,
    [id, name, sessionId],
  );
  return { id, sessionId };
}

/** Builds a statement that adds a todo for the current tenant. */
export function insertTodo(title = 'x'): Statement {
  return { text: 'insert into app_public.todos (title) values ($1)', values: [title] };
}

/** Reads the titles of all tenants' todos in order. */
export async function todoTitles(db: TestDatabase): Promise<string[]> {
  return (await db.asAdmin<{ title: string }>('select title from app_public.todos order by 1')).map(
    ({ title }) => title,
  );
}

/** Reads the backend, role and identity of the only connection of a pool. */
export async function connectionState(database: Database): Promise<{ pid: number; role: string; user: string | null }> {
  const { rows } = await database.inspect<{ pid: number; role: string; user: string | null }>({
    text: `select pg_backend_pid() as pid, current_user as role,
      nullif(current_setting('app.current_user_id', true), '') as user`,
  });
  return rows[0] as { pid: number; role: string; user: string | null };
}

/** Expected state of a connection without an identity. */
export const clean = { pid: expect.any(Number), role: 'hedgerow_authenticator', user: null };
