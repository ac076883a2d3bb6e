import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import type { Cancellation } from '../../../postgres/cancellation.ts';
import { queued } from './queue.ts';

// OWASP's first choice for Argon2id. The library's default algorithm is Argon2id.
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/**
 * Hashes a password with Argon2id. The hash includes its salt and parameters (PHC string).
 *
 * @param cancellation cancels the hash if the request ends before its turn.
 * @throws Problem 503 when too many passwords wait; CancelledError.
 */
export function hashPassword(password: string, cancellation?: Cancellation): Promise<string> {
  return queued(() => hash(password, parameters), cancellation);
}

/** The hash of a random password, for accounts without a hash. */
const dummyHash = hash(randomBytes(16).toString('hex'), parameters);

/**
 * Checks whether `password` matches `passwordHash`. The hash is missing if the account does not exist or has no password.
 * The result is then `false` after the same wait and work, so that timing does not reveal whether the account exists.
 *
 * @throws see `hashPassword`.
 */
export async function passwordMatches(
  passwordHash: string | null | undefined,
  password: string,
  cancellation?: Cancellation,
): Promise<boolean> {
  const against = passwordHash ?? (await dummyHash);
  const matches = await queued(() => verify(against, password), cancellation);
  return matches && typeof passwordHash === 'string';
}

/** Tells whether a hash used weaker parameters than a new hash, or another algorithm than Argon2id. */
export function needsRehash(passwordHash: string): boolean {
  const [, memory, time, lanes] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$/.exec(passwordHash) ?? [];
  const { memoryCost, timeCost, parallelism } = parameters;
  return !(Number(memory) >= memoryCost && Number(time) >= timeCost && Number(lanes) >= parallelism);
}
