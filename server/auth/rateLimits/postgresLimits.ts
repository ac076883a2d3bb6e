import { createHash } from 'node:crypto';
import { RateLimiterRes } from 'rate-limiter-flexible';
import { Problem } from '../../http/problem.ts';
import type { Origin } from '../origin.ts';
import { type Counters, inKeyOrder } from './inKeyOrder.ts';
import { isKnownNetwork } from './knownNetwork.ts';
import { Limiter } from './limiter.ts';
import { networkOf } from './network.ts';
import type { LimitedAction, RateLimits } from './rateLimits.ts';
import { type Rules, rules } from './rules.ts';

/** A row of the table, that is there or not. */
interface Counter {
  readonly limiter: Limiter;
  readonly key: string;
}

/**
 * RateLimits that all instances share through Postgres.
 *
 * @param client as sign-in.
 * @param factor how much more often than `rules` says.
 */
export function createRateLimits(client: Counters, factor: number): RateLimits {
  const counters = inKeyOrder(client);
  const limiters = new Map<string, Limiter>();
  for (const [action, ofAction] of Object.entries(rules)) {
    for (const [what, { points, seconds }] of Object.entries(ofAction)) {
      const prefix = `${action}:${what}`;
      limiters.set(prefix, new Limiter(counters, prefix, { points: points * factor, seconds }));
    }
  }

  const counter = (action: LimitedAction, what: keyof Rules, key: string): Counter => ({
    limiter: limiters.get(`${action}:${what}`) as Limiter,
    key,
  });

  /** What one try counts in: each step is a round trip, and is taken when the one before let the try pass. */
  const steps = (action: LimitedAction, { address }: Origin, account: string | undefined): Counter[][] => {
    const network = networkOf(address);
    const atAddress = [counter(action, 'address', network)];
    if (account === undefined) return [atAddress];
    const hash = hashOf(account);
    const anywhere = counter(action, 'account', hash);
    if (!rules[action].accountAtAddress) return [[...atAddress, anywhere]];
    // Tries that one address has too many of do not count for the account: a stranger could lock its owner out.
    return [[...atAddress, counter(action, 'accountAtAddress', `${network} ${hash}`)], [anywhere]];
  };

  return {
    async count(action, origin, account) {
      const taken = steps(action, origin, account);
      for (const [index, step] of taken.entries()) {
        try {
          await consume(step);
        } catch (error) {
          const isLast = index === taken.length - 1;
          if (!(isLast && account !== undefined && rules[action].accountFromKnown && isTooMany(error))) throw error;
          if (!(await isKnownNetwork(client, account, origin.address))) throw error;
          await consume([counter(action, 'accountFromKnown', hashOf(account))]);
        }
      }
    },
    async forgive(action, origin, account) {
      const [address, ...ofAccount] = steps(action, origin, account).flat();
      // An account that strangers have used up stays so: what got in then was counted as from a known network.
      const left = ofAccount.map((one) =>
        rules[action].accountFromKnown && one.key === hashOf(account) && one.limiter.refusedFor(one.key) > 0
          ? counter(action, 'accountFromKnown', one.key)
          : one,
      );
      await Promise.all([address?.limiter.reward(address.key), ...left.map(({ limiter, key }) => limiter.delete(key))]);
    },
  };
}

/** Names of accounts are stored as hashes only. */
function hashOf(account: string): string {
  return createHash('sha256').update(account).digest('base64url');
}

function isTooMany(error: unknown): boolean {
  return error instanceof Problem && error.status === 429;
}

/** Takes a point of each in one round trip. @throws Problem 429 when one of them has none left. */
async function consume(counters: readonly Counter[]): Promise<void> {
  const known = Math.max(...counters.map(({ limiter, key }) => limiter.refusedFor(key)));
  // Nothing is written: an address that has tried too often could otherwise go on filling the table with accounts.
  if (known > 0) throw tooMany(known);
  const settled = await Promise.allSettled(counters.map(({ limiter, key }) => limiter.consume(key)));
  const rejected = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const fault = rejected.find((reason) => !(reason instanceof RateLimiterRes));
  if (fault) throw fault;
  const waits = rejected.map((reason) => (reason as RateLimiterRes).msBeforeNext);
  if (waits.length > 0) throw tooMany(Math.max(...waits));
}

function tooMany(milliseconds: number): Problem {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return new Problem(429, `Too many tries. Wait ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`, {
    headers: { 'Retry-After': String(seconds) },
  });
}
