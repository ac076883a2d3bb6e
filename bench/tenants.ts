import { signAccessToken } from '../server/auth/tokens/accessToken.ts';
import type { Keys } from '../server/auth/tokens/keys.ts';
import type { BenchDatabase } from './database.ts';
import { filledUntil, idOf, selectTenants } from './ids.ts';

/** A tenant of the load, with a hundred of its todos to read. */
export interface Tenant {
  readonly userId: string;
  readonly sessionId: string;
  readonly listIds: readonly string[];
  readonly todoIds: readonly string[];
}

/** Reads the tenants of the load. */
export function measuredTenants(database: BenchDatabase): Promise<Tenant[]> {
  const { count, step } = selectTenants(database.rows);
  return tenantsOf(
    database,
    Array.from({ length: count }, (_, index) => index * step),
  );
}

/** Reads the tenants with the given numbers. */
export async function tenantsOf({ admin }: BenchDatabase, numbers: readonly number[]): Promise<Tenant[]> {
  const found = await admin.query<Tenant>(
    `select t.user_id as "userId", t.session_id as "sessionId",
       array(select id::text from app_public.lists where user_id = t.user_id order by id) as "listIds",
       array(select id::text from app_public.todos where user_id = t.user_id and created_at < '${filledUntil}' order by id limit 100) as "todoIds"
     from (select ${idOf.user('n')} as user_id, ${idOf.session('n')} as session_id from unnest($1::int[]) with ordinality u (n, place) order by place) t`,
    [numbers],
  );
  return found.rows;
}

const renewAfter = 5 * 60_000;

/** Returns an access token of the tenant. Renews it in time, because a run may take longer than a token lives. */
export type TokenOf = (tenant: Tenant) => string;

/** Creates a source of tokens, signed as the server signs them. */
export function createTokens(settings: Keys): TokenOf {
  const known = new Map<string, { token: string; signed: number }>();
  return ({ userId, sessionId }) => {
    const kept = known.get(sessionId);
    if (kept && Date.now() - kept.signed < renewAfter) return kept.token;
    const token = signAccessToken(settings, userId, sessionId);
    known.set(sessionId, { token, signed: Date.now() });
    return token;
  };
}
