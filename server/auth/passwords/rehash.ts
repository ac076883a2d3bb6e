import type { Cancellation } from '../../../postgres/cancellation.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';
import { hashPassword, needsRehash } from './passwords.ts';

/**
 * Replaces a hash that used weaker parameters than a new one. Only a sign-in can do this, because it has the password.
 *
 * @param client runs SQL as sign-in.
 * @returns the new hash. It is not stored if another request changed the password concurrently.
 * @throws see `hashPassword`.
 */
export async function rehash(
  client: IdentifiedClient,
  { userId, passwordHash, password }: { userId: string; passwordHash: string; password: string },
  cancellation?: Cancellation,
): Promise<string> {
  if (!needsRehash(passwordHash)) return passwordHash;
  const stronger = await hashPassword(password, cancellation);
  await client.query({
    // The condition on the hash leaves a concurrent password change alone.
    text: 'update app_private.credentials set password_hash = $3 where user_id = $1 and password_hash = $2',
    values: [userId, passwordHash, stronger],
  });
  return stronger;
}
