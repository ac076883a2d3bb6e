import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import jwt from 'jsonwebtoken';
import { signAccessToken } from '../../server/auth/tokens/accessToken.ts';
import { keysOf } from '../../server/auth/tokens/keys.ts';
import type { TestDatabase } from '../support/database.ts';
import { jwtSecret } from '../support/server.ts';
import { ExpectedRows } from './expectedRows.ts';
import type { Owners } from './foreign.ts';

import type { Target } from './target.ts';

/** A session of a tenant. `ended` is set before the session ends, so that the test expects the refusal. */
export interface Session {
  readonly id: string;
  readonly token: string;
  ended: boolean;
}

/** A tenant and the rows that it must have. */
export interface Tenant {
  readonly name: string;
  readonly id: string;
  readonly lists: readonly string[];
  readonly expected: ExpectedRows;
  session: Session;
}

const settings = keysOf({ jwtSecret });

export async function createTenant(db: TestDatabase, owners: Owners, name: string): Promise<Tenant> {
  const account = await createAccount(db, name);
  const { id } = account;
  const lists = [randomUUID(), randomUUID()];
  for (const [index, list] of lists.entries()) {
    const values = [list, id, listName(name, index)];
    await db.asAdmin('insert into app_public.lists (id, user_id, name) values ($1, $2, $3)', values);
  }
  for (const own of [id, ...lists]) owners.record(own, name);
  return { name, id, lists, expected: new ExpectedRows(), session: account.session };
}

export function listName(tenant: string, index: number): string {
  return `list ${index} of ${tenant}`;
}

async function createAccount(db: TestDatabase, name: string): Promise<{ id: string; session: Session }> {
  const id = randomUUID();
  await db.asAdmin(
    `with account as (
      insert into app_public.users (id, email, username) values ($1, $2 || '@example.com', $2) returning id
    )
    insert into app_private.credentials (user_id, password_hash) select id, '$argon2id$none' from account`,
    [id, name],
  );
  return { id, session: await newSession(db, id) };
}

export async function endSession(db: TestDatabase, ending: Session): Promise<void> {
  ending.ended = true;
  await db.asAdmin('update app_private.sessions set revoked_at = now() where id = $1', [ending.id]);
}

export async function newSession(db: TestDatabase, userId: string): Promise<Session> {
  const id = randomUUID();
  await db.asAdmin(
    `insert into app_private.sessions (id, user_id, family_hash, refresh_token_hash, expires_at)
     values ($1, $2, sha256($3::text::bytea), sha256($3::text::bytea), now() + interval '1 day')`,
    [id, userId, id],
  );
  return { id, token: signAccessToken(settings, userId, id), ended: false };
}

/** Gives each tenant a new access token, which lasts for a round. */
export function renewTokens(tenants: readonly Tenant[]): void {
  for (const tenant of tenants) {
    const { session, id } = tenant;
    tenant.session = { ...session, token: signAccessToken(settings, id, session.id) };
  }
}

/** Creates tokens that the server must refuse, each with the reason. */
export async function createInvalidTokens({ db, strict }: Target): Promise<(readonly [string, string | undefined])[]> {
  const { id, session: ended } = await createAccount(db, 'stranger');
  await endSession(db, ended);
  const { issuer, audience } = settings;
  const expired = jwt.sign({ sid: ended.id }, jwtSecret, { subject: id, issuer, audience, expiresIn: -100 });
  return [
    ['no token', undefined],
    ['garbage token', 'not.a.token'],
    ['expired token', expired],
    // A server that does not check sessions accepts this token.
    ...(strict ? [['ended session', ended.token] as const] : []),
  ];
}

/** Creates an agent with one keep-alive connection. */
export function newAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}
