import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';

// OWASP's first choice for Argon2id. The library's default algorithm is Argon2id.
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Argon2id hash of a password, with its salt and parameters inside (PHC string). */
export function hashPassword(password: string): Promise<string> {
  return hash(password, parameters);
}

const nobodysHash = hashPassword(randomBytes(16).toString('hex'));

/**
 * Whether `password` belongs to `passwordHash`. Without a hash, because there is no such account, it takes as long as
 * with one and is false: the time tells a stranger nothing.
 */
export async function passwordMatches(passwordHash: string | undefined, password: string): Promise<boolean> {
  const matches = await verify(passwordHash ?? (await nobodysHash), password);
  return matches && passwordHash !== undefined;
}
