import { createHash } from 'node:crypto';
import { RateLimiterRes } from 'rate-limiter-flexible';
import { Problem } from '../../http/problem.ts';
import type { Origin } from '../origin.ts';
import { type CounterClient, inKeyOrder } from './inKeyOrder.ts';
import { isKnownNetwork } from './knownNetwork.ts';
import { Limiter } from './limiter.ts';
import { networkOf } from './network.ts';
import type { LimitedAction, RateLimits } from './rateLimits.ts';
import { type Rules, rules } from './rules.ts';

/** A key of a limiter. Its row exists after the first attempt. */
interface Counter {
  readonly limiter: Limiter;
  readonly key: string;
}

/**
 * Creates rate limits that all instances share through Postgres.
 *
 * @param client runs SQL as sign-in.
 * @param factor multiplies the number of attempts in `rules`.
 */
export function createRateLimits(client: CounterClient, factor: number): RateLimits {
  const counters = inKeyOrder(client);
  const limiters = new Map<string, Limiter>();
  for (const [action, rulesOfAction] of Object.entries(rules)) {
    for (const [scope, { points, seconds }] of Object.entries(rulesOfAction)) {
      const prefix = `${action}:${scope}`;
      limiters.set(prefix, new Limiter(counters, prefix, { points: points * factor, seconds }));
    }
  }

  const counter = (action: LimitedAction, scope: keyof Rules, key: string): Counter => ({
    limiter: limiters.get(`${action}:${scope}`) as Limiter,
    key,
  });

  /** The counters of one attempt, by step. A step is one round trip. It follows only if the previous step allows it. */
  const steps = (action: LimitedAction, { address }: Origin, account: string | undefined): Counter[][] => {
    const network = networkOf(address);
    const byAddress = counter(action, 'address', network);
    if (account === undefined) return [[byAddress]];
    const hash = hashOf(account);
    const byAccount = counter(action, 'account', hash);
    if (!rules[action].accountAtAddress) return [[byAddress, byAccount]];
    // An attempt that the first step refuses does not count for the account. Otherwise, one address could lock out the
    // owner.
    return [[byAddress, counter(action, 'accountAtAddress', `${network} ${hash}`)], [byAccount]];
  };

  return {
    async count(action, origin, account) {
      const stepsOfAttempt = steps(action, origin, account);
      for (const [index, step] of stepsOfAttempt.entries()) {
        try {
          await consume(step);
        } catch (error) {
          const isLast = index === stepsOfAttempt.length - 1;
          if (!(isLast && account !== undefined && rules[action].accountFromKnown && isTooMany(error))) throw error;
          if (!(await isKnownNetwork(client, account, origin.address))) throw error;
          await consume([counter(action, 'accountFromKnown', hashOf(account))]);
        }
      }
    },
    async forgive(action, origin, account) {
      const [address, ...ofAccount] = steps(action, origin, account).flat();
      // If others have used up the limit of the account, that counter stays. The successful attempt was then counted as
      // one from a known network, so that counter is reset instead.
      const cleared = ofAccount.map((one) =>
        rules[action].accountFromKnown && one.key === hashOf(account) && one.limiter.refusedFor(one.key) > 0
          ? counter(action, 'accountFromKnown', one.key)
          : one,
      );
      await Promise.all([
        address?.limiter.reward(address.key),
        ...cleared.map(({ limiter, key }) => limiter.delete(key)),
      ]);
    },
  };
}

/** Hashes the name of an account, because the table stores no account names. */
function hashOf(account: string): string {
  return createHash('sha256').update(account).digest('base64url');
}

function isTooMany(error: unknown): boolean {
  return error instanceof Problem && error.status === 429;
}

/**
 * Counts the attempt in each counter, in one round trip.
 *
 * @throws Problem 429 when a counter is over its limit.
 */
async function consume(counters: readonly Counter[]): Promise<void> {
  const refusedFor = Math.max(...counters.map(({ limiter, key }) => limiter.refusedFor(key)));
  // Refuse without a write. Otherwise, a refused address could fill the table with rows of accounts.
  if (refusedFor > 0) throw tooMany(refusedFor);
  const settled = await Promise.allSettled(counters.map(({ limiter, key }) => limiter.consume(key)));
  const rejected = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const fault = rejected.find((reason) => !(reason instanceof RateLimiterRes));
  if (fault) throw fault;
  const waits = rejected.map((reason) => (reason as RateLimiterRes).msBeforeNext);
  if (waits.length > 0) throw tooMany(Math.max(...waits));
}

function tooMany(milliseconds: number): Problem {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return new Problem(429, `Too many attempts. Wait ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`, {
    headers: { 'Retry-After': String(seconds) },
  });
}
