import { RateLimiterPostgres } from 'rate-limiter-flexible';
import type { CounterClient } from './inKeyOrder.ts';
import type { Rule } from './rules.ts';

/** Counts attempts by key in `app_private.rate_limits`, which all instances share. */
export class Limiter extends RateLimiterPostgres {
  /**
   * @param client runs SQL as sign-in.
   * @param keyPrefix distinguishes the keys of this limiter from those of other limiters.
   */
  constructor(client: CounterClient, keyPrefix: string, { points, seconds }: Rule) {
    super({
      storeClient: client,
      storeType: 'client',
      schemaName: 'app_private',
      tableName: 'rate_limits',
      tableCreated: true,
      keyPrefix,
      points,
      duration: seconds,
      // The first attempt over the limit is the last one that reaches the database. This instance refuses the next ones
      // from memory.
      inMemoryBlockOnConsumed: points + 1,
      // The library's timer cannot be stopped and does not report errors. expiry.ts deletes the rows of all limiters.
      clearExpiredByTimeout: false,
    });
  }

  /** Milliseconds for which this instance refuses the key without a query; 0 if it needs one. */
  refusedFor(key: string): number {
    // The library's types omit this method.
    const blocks = this as unknown as { getInMemoryBlockMsBeforeExpire(storedKey: string): number };
    return blocks.getInMemoryBlockMsBeforeExpire(this.getKey(key));
  }
}
