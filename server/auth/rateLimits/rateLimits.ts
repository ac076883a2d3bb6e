import type { Origin } from '../origin.ts';

/** Actions with a rate limit of their own. */
export type LimitedAction = 'register' | 'login' | 'refresh' | 'logout' | 'password' | 'mail' | 'export';

/** Rate limits, counted over all instances of the server. */
export interface RateLimits {
  /**
   * Counts one try at `action` from the origin's address and at the account, whatever names it (an address of mail, a
   * user's or a session's id); what names it is not stored as it is.
   *
   * @throws Problem 429 with Retry-After when there were too many of either.
   */
  count(action: LimitedAction, origin: Origin, account?: string): Promise<void>;
  /** Forgets the tries at the account: the right one got in. */
  forgive(action: LimitedAction, origin: Origin, account: string): Promise<void>;
}
