import type { LimitedAction } from './rateLimits.ts';

/** How many tries are let through within `seconds` of the first one. */
export interface Rule {
  readonly points: number;
  readonly seconds: number;
}

/** What is counted of one action. Whatever is tried counts; what a right password gives back stands in forgive(). */
export interface Rules {
  readonly address: Rule;
  readonly account: Rule;
  /** One account from one address, so that nobody is locked out by strangers who guess from elsewhere. */
  readonly accountAtAddress?: Rule;
  /**
   * One account from all networks that it has been signed in to from, once `account` is used up: strangers who guess
   * from many networks do not lock its owner out either.
   */
  readonly accountFromKnown?: Rule;
}

const minutes = 60;
const quarter = 15 * minutes;
const hour = 60 * minutes;

export const rules: Readonly<Record<LimitedAction, Rules>> = {
  // An office behind one address signs up in a day, not in a minute; what a robot wants is thousands.
  register: { address: { points: 100, seconds: hour }, account: { points: 10, seconds: hour } },
  // Ten tries are a person who searches their memory. Fifty from everywhere are 4,800 guesses a day at one account, and
  // 7,680 with those from its own networks: too few for any password that the commonest lists do not have.
  login: {
    address: { points: 100, seconds: quarter },
    accountAtAddress: { points: 10, seconds: quarter },
    account: { points: 50, seconds: quarter },
    accountFromKnown: { points: 30, seconds: quarter },
  },
  // A client refreshes once in fifteen minutes, and a few times more when its network is bad.
  refresh: { address: { points: 600, seconds: quarter }, account: { points: 60, seconds: quarter } },
  // Needs no account: without a limit, made-up tokens would each cost a transaction.
  logout: { address: { points: 600, seconds: quarter }, account: { points: 60, seconds: quarter } },
  // Asked of who is signed in already: a stolen access token must not become the password.
  password: { address: { points: 100, seconds: quarter }, account: { points: 10, seconds: quarter } },
  // Each of them fills a mailbox that may be somebody else's.
  mail: { address: { points: 30, seconds: hour }, account: { points: 5, seconds: hour } },
  // Each of them reads all that a tenant has.
  export: { address: { points: 30, seconds: hour }, account: { points: 10, seconds: hour } },
};
