import type { Origin } from '../origin.ts';

/** Actions that have a rate limit. */
export type LimitedAction =
  | 'register'
  | 'login'
  | 'refresh'
  | 'logout'
  | 'password'
  | 'mail'
  | 'export'
  | 'organization'
  | 'invite'
  | 'invited'
  | 'invitation';

/** Rate limits, counted over all instances of the server. */
export interface RateLimits {
  /**
   * Counts one attempt at `action`, by the origin's address and by the account.
   *
   * @param account a mail address, a user id or the hash of a session's token family. Only its hash is stored.
   * @throws Problem 429 with Retry-After when the address or the account has too many attempts.
   */
  count(action: LimitedAction, origin: Origin, account?: string): Promise<void>;
  /** Resets the counters of the account after a successful attempt, and gives the address one attempt back. */
  forgive(action: LimitedAction, origin: Origin, account: string): Promise<void>;
}
