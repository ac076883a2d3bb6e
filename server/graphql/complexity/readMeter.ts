import type { Meter } from '../../../postgres/statement.ts';
import { ByteBudget } from '../../http/byteBudget.ts';
import type { Hold } from '../../http/turn.ts';
import type { TenantClient } from '../mutationClient.ts';
import { busy, byteLimits, tooComplex } from './complexity.ts';

/** Bytes that a request reads without a share of the budget. Most requests read no more. */
const freeBytes = byteLimits.event;

/** Bytes that a request takes from the budget at a time. */
const portion = 1_000_000;

/** The budget in bytes for data that running requests hold: of all tenants together, and of one tenant. */
const budget = new ByteBudget({ total: 96_000_000, tenant: 32_000_000 });

/**
 * Counts the bytes that a request reads from the database, and refuses to exceed its limit. Its states: counting; beyond
 * its limit; counting again after `restart`; released. It has no reference to the request, because statements refer to
 * the meter and may outlive the request.
 */
export class ReadMeter implements Meter {
  readonly maxAnswerBytes = 2 * byteLimits.read;
  #tenant: string | undefined;
  readonly #budget: ByteBudget;
  #most: number;
  #isBeyond = false;
  #read = 0;
  #taken = 0;

  /** @param tenant the tenant whose share of the budget holds the bytes until `release`; `undefined` for no budget. */
  constructor(tenant?: string, shared: ByteBudget = budget, most: number = byteLimits.read) {
    this.#tenant = tenant;
    this.#budget = shared;
    this.#most = most;
  }

  /** Creates the meter of one event. Its limit is so low that it needs no budget. */
  static ofEvent(): ReadMeter {
    return new ReadMeter(undefined, budget, byteLimits.event);
  }

  /** @throws GraphQLError TOO_COMPLEX beyond the request's limit; UNAVAILABLE when the budget is used up. */
  add(bytes: number): void {
    this.#read += bytes;
    if (this.#read > this.#most) {
      this.#isBeyond = true;
      throw this.refusal();
    }
    if (this.#tenant !== undefined) this.#take(this.#tenant);
  }

  /** The request has exceeded its limit. */
  get isBeyond(): boolean {
    return this.#isBeyond;
  }

  /** Starts counting again, with a limit of `most` bytes, for a request that runs again. */
  restart(most: number): void {
    this.#most = most;
    this.#isBeyond = false;
    this.#read = 0;
  }

  /** Returns the bytes to the budget, once the answer was sent or its client has disconnected. */
  release(): void {
    if (this.#tenant === undefined) return;
    if (this.#taken > 0) this.#budget.give(this.#tenant, this.#taken);
    this.#tenant = undefined;
  }

  refusal(): Error {
    return tooComplex(`the request reads more than ${this.#most} bytes`);
  }

  #take(tenant: string): void {
    while (this.#read - freeBytes > this.#taken) {
      if (!this.#budget.take(tenant, portion)) throw busy('Too many large answers are in progress. Try again.');
      this.#taken += portion;
    }
  }
}

/**
 * Wraps a client so that its statements are metered, unless a statement sets its own `meter`.
 *
 * @param meter returns the meter for each statement.
 * @param hold measures the work between statements.
 */
export function metered(client: TenantClient, meter: () => Meter, hold?: Hold): TenantClient {
  const counted =
    ({ query }: Pick<TenantClient, 'query'>): TenantClient['query'] =>
    (statement) => {
      hold?.end();
      const result = query({ meter: meter(), ...statement });
      if (hold) {
        const queried = () => {
          hold.begin();
          hold.queried();
        };
        result.then(queried, () => {});
      }
      return result as never;
    };
  return {
    query: counted(client),
    transaction: (work, ...options) =>
      client.transaction(
        async (transaction) => {
          try {
            return await work({ query: counted(transaction) });
          } finally {
            // The commit may wait for a long time without holding the event loop.
            hold?.end();
          }
        },
        ...options,
      ),
  };
}
