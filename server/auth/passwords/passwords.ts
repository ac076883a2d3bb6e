import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import type { Cancellation } from '../../../postgres/cancellation.ts';
import { inTurn } from './queue.ts';

// OWASP's first choice for Argon2id. The library's default algorithm is Argon2id.
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/**
 * Argon2id hash of a password, with its salt and parameters inside (PHC string).
 *
 * @param cancellation of the request; once it is given up nothing is hashed for it.
 * @throws Problem 503 when too many wait for their turn; CancelledError.
 */
export function hashPassword(password: string, cancellation?: Cancellation): Promise<string> {
  return inTurn(() => hash(password, parameters), cancellation);
}

const nobodysHash = hash(randomBytes(16).toString('hex'), parameters);

/**
 * Whether `password` belongs to `passwordHash`. Without a hash, because there is no such account or it has no password,
 * it waits and takes as long as with one and is false: the time tells a stranger nothing.
 *
 * @throws as hashPassword.
 */
export async function passwordMatches(
  passwordHash: string | null | undefined,
  password: string,
  cancellation?: Cancellation,
): Promise<boolean> {
  const against = passwordHash ?? (await nobodysHash);
  const matches = await inTurn(() => verify(against, password), cancellation);
  return matches && typeof passwordHash === 'string';
}

/** Whether a hash was made with less work than a new one would be, or is no Argon2id at all. */
export function needsRehash(passwordHash: string): boolean {
  const [, memory, time, lanes] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$/.exec(passwordHash) ?? [];
  const { memoryCost, timeCost, parallelism } = parameters;
  return !(Number(memory) >= memoryCost && Number(time) >= timeCost && Number(lanes) >= parallelism);
}
