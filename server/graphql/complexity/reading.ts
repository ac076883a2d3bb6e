import type { Meter } from '../../../postgres/statement.ts';
import { ByteBudget } from '../../http/byteBudget.ts';
import type { Hold } from '../../http/turn.ts';
import type { TenantClient } from '../mutationClient.ts';
import { busy, byteLimits, tooComplex } from './complexity.ts';

/** Bytes that a request reads without asking the shared budget: most requests read no more. */
const free = byteLimits.event;

/** Bytes that are taken from the budget at a time. */
const portion = 1_000_000;

/** Bytes that all requests under way hold of what they have read, and those of one tenant. */
const budget = new ByteBudget({ total: 96_000_000, tenant: 32_000_000 });

/**
 * Counts what is read from the database, and refuses more than one request may read. It refers to nothing of the request,
 * because statements refer to it, and may be kept for longer than the request.
 */
export class ReadMeter implements Meter {
  readonly maxAnswerBytes = 2 * byteLimits.read;
  #tenant: string | undefined;
  readonly #budget: ByteBudget;
  #most: number;
  #isBeyond = false;
  #read = 0;
  #taken = 0;

  /** @param tenant whose share of the memory counts what is read, until `release`; undefined where none does. */
  constructor(tenant?: string, shared: ByteBudget = budget, most: number = byteLimits.read) {
    this.#tenant = tenant;
    this.#budget = shared;
    this.#most = most;
  }

  /** The meter of one event: it reads no more than requests may without asking the shared budget. */
  static ofEvent(): ReadMeter {
    return new ReadMeter(undefined, budget, byteLimits.event);
  }

  /** @throws GraphQLError TOO_COMPLEX beyond the request's limit; UNAVAILABLE while large answers have all memory. */
  add(bytes: number): void {
    this.#read += bytes;
    if (this.#read > this.#most) {
      this.#isBeyond = true;
      throw this.refusal();
    }
    if (this.#tenant !== undefined) this.#take(this.#tenant);
  }

  /** Whether the request has read more than it may. */
  get isBeyond(): boolean {
    return this.#isBeyond;
  }

  /** Counts from the beginning, up to `most` bytes: the request reads everything again. */
  restart(most: number): void {
    this.#most = most;
    this.#isBeyond = false;
    this.#read = 0;
  }

  /** The answer has been sent, or nobody waits for it any more: what was read is not held. */
  release(): void {
    if (this.#tenant === undefined) return;
    if (this.#taken > 0) this.#budget.give(this.#tenant, this.#taken);
    this.#tenant = undefined;
  }

  refusal(): Error {
    return tooComplex(`the request reads more than ${this.#most} bytes`);
  }

  #take(tenant: string): void {
    while (this.#read - free > this.#taken) {
      if (!this.#budget.take(tenant, portion)) throw busy('Too many large answers are under way. Try again.');
      this.#taken += portion;
    }
  }
}

/**
 * The same client, whose statements are counted by what `meter` gives for each, unless they say otherwise.
 *
 * @param hold measures the work between them.
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
            // The commit may wait for long, and the event loop does not.
            hold?.end();
          }
        },
        ...options,
      ),
  };
}
