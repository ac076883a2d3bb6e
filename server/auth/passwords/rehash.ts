import type { Cancellation } from '../../../postgres/cancellation.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';
import { hashPassword, needsRehash } from './passwords.ts';

/**
 * Replaces a hash that was made with less work than is usual now. Only who signs in brings the password for that.
 *
 * @param client as sign-in.
 * @returns the hash that is stored from now on, unless somebody else changed it.
 * @throws as hashPassword.
 */
export async function rehash(
  client: IdentifiedClient,
  { userId, passwordHash, password }: { userId: string; passwordHash: string; password: string },
  cancellation?: Cancellation,
): Promise<string> {
  if (!needsRehash(passwordHash)) return passwordHash;
  const stronger = await hashPassword(password, cancellation);
  await client.query({
    // Unless the password was changed in the meantime.
    text: 'update app_private.credentials set password_hash = $3 where user_id = $1 and password_hash = $2',
    values: [userId, passwordHash, stronger],
  });
  return stronger;
}
