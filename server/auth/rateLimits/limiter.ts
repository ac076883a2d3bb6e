import { RateLimiterPostgres } from 'rate-limiter-flexible';
import type { Counters } from './inKeyOrder.ts';
import type { Rule } from './rules.ts';

/** Counts by key in `app_private.rate_limits`, which all instances share. */
export class Limiter extends RateLimiterPostgres {
  /**
   * @param client as sign-in.
   * @param keyPrefix tells its keys from those of other limiters.
   */
  constructor(client: Counters, keyPrefix: string, { points, seconds }: Rule) {
    super({
      storeClient: client,
      storeType: 'client',
      schemaName: 'app_private',
      tableName: 'rate_limits',
      tableCreated: true,
      keyPrefix,
      points,
      duration: seconds,
      // The first try too many is the last one that is written down: from then on this instance refuses by itself.
      inMemoryBlockOnConsumed: points + 1,
      // The library's timer cannot be stopped, and says nothing of what fails; expiry.ts clears for all.
      clearExpiredByTimeout: false,
    });
  }

  /** Milliseconds for which this instance refuses the key without asking the database; 0 where it has to ask. */
  refusedFor(key: string): number {
    // A method of the library that its types leave out.
    const blocks = this as unknown as { getInMemoryBlockMsBeforeExpire(storedKey: string): number };
    return blocks.getInMemoryBlockMsBeforeExpire(this.getKey(key));
  }
}
