import { type Context, fail } from './context.ts';
import type { ConnectionState, Target } from './target.ts';

/** What is wrong with a pooled connection between requests; undefined: it is nobody's. */
export function checkState({ role, user, settings }: ConnectionState): string | undefined {
  if (role !== 'hedgerow_authenticator') return `current_user is ${role}`;
  if (user) return `app.current_user_id is ${user}`;
  return settings ? `session settings: ${settings.join(', ')}` : undefined;
}

/** The next user of the connection would have an identity. */
function carriesTenant({ role, user }: ConnectionState): boolean {
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

/**
 * Looks at them after request `number`, and ends the run where one is somebody's. A probe without an answer says nothing:
 * requests that are under way may keep it waiting for too long.
 */
export async function probeAfter(context: Context, number: number): Promise<void> {
  const { report, target } = context;
  for (const state of await probe(target)) {
    report.probes++;
    if (!state) continue;
    if (carriesTenant(state)) report.dirtyConnections++;
    const problem = checkState(state);
    if (!problem) continue;
    const failure = {
      what: problem,
      request: number,
      who: 'a probe after it',
      sent: '',
      received: JSON.stringify(state),
    };
    // Where the contract is not checked, only what a client could see ends the run: a row in an answer.
    fail(context, { ...failure, leak: target.strict && carriesTenant(state) });
  }
}
