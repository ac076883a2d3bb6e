import type { Meter } from '../../database/statement.ts';
import { ByteBudget } from '../../http/byteBudget.ts';
import type { Hold } from '../../http/turn.ts';
import type { TenantClient } from '../mutationClient.ts';
import { busy, byteLimits, tooComplex } from './limits.ts';

/** Bytes that a request reads without asking the shared budget: most requests read no more. */
const free = byteLimits.event;

/** Bytes that are taken from the budget at a time. */
const portion = 1_000_000;

/** Bytes that all requests under way hold of what they have read, and those of one tenant. */
const budget = new ByteBudget({ total: 96_000_000, tenant: 32_000_000 });

/** The request whose answer holds what was read. */
export interface Holder {
  readonly tenant: string;
  /** Calls `release` once the answer has been sent, or nobody waits for it any more. */
  whenAnswered(release: () => void): void;
}

/** Counts what is read from the database, and refuses more than one request may read. */
export class ReadMeter implements Meter {
  readonly mostOnWire = 2 * byteLimits.read;
  readonly #holder: Holder | undefined;
  readonly #budget: ByteBudget;
  readonly #most: number;
  #read = 0;
  #taken = 0;

  /** @param holder where what is read counts in the memory that requests share. */
  constructor(holder?: Holder, shared: ByteBudget = budget, most: number = byteLimits.read) {
    this.#holder = holder;
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
    if (this.#read > this.#most) throw this.refusal();
    if (this.#holder) this.#take(this.#holder);
  }

  refusal(): Error {
    return tooComplex(`the request reads more than ${this.#most} bytes`);
  }

  #take({ tenant, whenAnswered }: Holder): void {
    while (this.#read - free > this.#taken) {
      if (!this.#budget.take(tenant, portion)) throw busy('Too many large answers are under way. Try again.');
      this.#taken += portion;
      if (this.#taken === portion) whenAnswered(() => this.#budget.give(tenant, this.#taken));
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
        result.then(queried).catch(() => {});
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
