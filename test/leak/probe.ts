import type { ConnectionState, Target } from './target.ts';

/** What is wrong with a pooled connection between requests; undefined: it is nobody's. */
export function complaintAboutState({ role, user, settings }: ConnectionState): string | undefined {
  if (role !== 'hedgerow_authenticator') return `current_user is ${role}`;
  if (user) return `app.current_user_id is ${user}`;
  return settings ? `session settings: ${settings.join(', ')}` : undefined;
}

/** Whoever gets the connection next speaks for somebody. */
export function carriesTenant({ role, user }: ConnectionState): boolean {
  return role !== 'hedgerow_authenticator' || Boolean(user);
}

/** Looks at as many connections at once as the pool may have; undefined where the database did not answer. */
export function probe({ poolSize, connectionState }: Target): Promise<(ConnectionState | undefined)[]> {
  return Promise.all(
    Array.from({ length: poolSize }, async () => {
      try {
        return await connectionState();
      } catch {
        return undefined;
      }
    }),
  );
}
