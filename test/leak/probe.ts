import { type Context, fail } from './context.ts';
import type { ConnectionState, Target } from './target.ts';

/** Checks a pooled connection between requests. @returns a problem, or undefined if no identity is left on it. */
export function checkState({ role, user, settings }: ConnectionState): string | undefined {
  if (role !== 'hedgerow_authenticator') return `current_user is ${role}`;
  if (user) return `app.current_user_id is ${user}`;
  return settings ? `session settings: ${settings.join(', ')}` : undefined;
}

/** Whether the next user of the connection would inherit an identity. */
function carriesTenant({ role, user }: ConnectionState): boolean {
  return role !== 'hedgerow_authenticator' || Boolean(user);
}

/** Reads the state of as many connections at a time as the pool has; undefined where the database did not answer. */
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
 * Probes the connections after request `number` and ends the run if one carries an identity. Ignores a probe without an
 * answer: running requests may hold the connections for too long.
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
      who: 'a probe after the request',
      sent: '',
      received: JSON.stringify(state),
    };
    // For a target that is not strict, only a row in an answer ends the run, because a client could see it.
    fail(context, { ...failure, leak: target.strict && carriesTenant(state) });
  }
}
