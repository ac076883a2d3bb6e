import type { Identity } from './identity.ts';

/** Users that are remembered at the same time. */
const most = 1000;

/** Where a tenant's transaction runs; the states are explained at `ImplicitTransactions`. */
export type Place = 'pipelined' | 'unshared' | 'bypass';

/**
 * Users whose transactions were too slow for the place where they ran. Their next ones skip that place for a while, so that
 * nobody waits behind them and they are not begun twice each time.
 *
 * A user is in `pipelined` by default. `demote` moves a user to `unshared` or `bypass` until the time is over, or until
 * `restore` says that a transaction was short again.
 */
export class PipeliningBypass {
  /** Places of demoted users and when they end, the oldest first. */
  readonly #demoted = new Map<unknown, { readonly place: Place; readonly until: number }>();
  readonly #time: number;

  /** @param time milliseconds for which a user is demoted. */
  constructor(time: number) {
    this.#time = time;
  }

  demote({ statement }: Identity, place: Place): void {
    const user = statement.expectedUserId;
    this.#demoted.delete(user);
    this.#demoted.set(user, { place, until: performance.now() + this.#time });
    if (this.#demoted.size > most) this.#demoted.delete(this.#demoted.keys().next().value);
  }

  /** The user's transactions are short again. */
  restore({ statement }: Identity): void {
    this.#demoted.delete(statement.expectedUserId);
  }

  placeOf({ statement }: Identity): Place {
    const demoted = this.#demoted.get(statement.expectedUserId);
    return demoted && performance.now() < demoted.until ? demoted.place : 'pipelined';
  }
}
