import type { LimitedAction } from './rateLimits.ts';

/** Allows `points` attempts within `seconds` of the first one. */
export interface Rule {
  readonly points: number;
  readonly seconds: number;
}

/** The limits of one action. Every attempt counts. `RateLimits.forgive` gives attempts back after a correct password. */
export interface Rules {
  readonly address: Rule;
  readonly account: Rule;
  /** Counts attempts at one account from one address, so that guesses from elsewhere do not lock out the owner. */
  readonly accountAtAddress?: Rule;
  /**
   * Applies when `account` is used up, to attempts from networks in which a session of the account began. So guesses from
   * many networks do not lock out the owner either.
   */
  readonly accountFromKnown?: Rule;
}

const minutes = 60;
const quarter = 15 * minutes;
const hour = 60 * minutes;

/** The rate limits by action. */
export const rules: Readonly<Record<LimitedAction, Rules>> = {
  // A whole office behind one address registers within a day, not a minute. A bot wants thousands of accounts.
  register: { address: { points: 100, seconds: hour }, account: { points: 10, seconds: hour } },
  // A person who tries to remember a password needs up to ten attempts. Fifty from all addresses are 4,800 guesses a day
  // at one account, or 7,680 with known networks. That is too few for any password outside the most common lists.
  login: {
    address: { points: 100, seconds: quarter },
    accountAtAddress: { points: 10, seconds: quarter },
    account: { points: 50, seconds: quarter },
    accountFromKnown: { points: 30, seconds: quarter },
  },
  // A client refreshes once in fifteen minutes, and a few times more on a bad network.
  refresh: { address: { points: 600, seconds: quarter }, account: { points: 60, seconds: quarter } },
  // Logout needs no valid token. Without a limit, each forged token would cost a transaction.
  logout: { address: { points: 600, seconds: quarter }, account: { points: 60, seconds: quarter } },
  // These attempts come from signed-in users. A stolen access token must not suffice to guess the password.
  password: { address: { points: 100, seconds: quarter }, account: { points: 10, seconds: quarter } },
  // Each message goes to a mailbox that may belong to someone else.
  mail: { address: { points: 30, seconds: hour }, account: { points: 5, seconds: hour } },
  // Organizations are few, and one person sets up several when trying them out.
  organization: { address: { points: 100, seconds: hour }, account: { points: 30, seconds: hour } },
  // Invitations are mail to people who have not asked for it: by sender, and by recipient.
  invite: { address: { points: 100, seconds: hour }, account: { points: 50, seconds: hour } },
  invited: { address: { points: 100, seconds: hour }, account: { points: 5, seconds: hour } },
  // Guesses of invitation tokens.
  invitation: { address: { points: 100, seconds: quarter }, account: { points: 30, seconds: quarter } },
  // Each export reads all rows of a tenant.
  export: { address: { points: 30, seconds: hour }, account: { points: 10, seconds: hour } },
};
