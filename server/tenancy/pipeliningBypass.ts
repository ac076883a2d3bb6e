import type { Identity } from './identity.ts';

/** Maximum of demoted users. Beyond it, the oldest entry is removed. */
const maxDemoted = 1000;

/** Place of a tenant's transaction; see `ImplicitTransactions`. */
export type Place = 'pipelined' | 'unshared' | 'bypass';

/**
 * Remembers users whose transactions were too slow for their place. Their next transactions skip this place for a while.
 * So no other request waits behind them, and they do not run twice each time.
 *
 * A user's place is `pipelined` by default. `demote` moves the user to `unshared` or `bypass`, until the time is over or
 * until `restore` reports a short transaction.
 */
export class PipeliningBypass {
  /** Place of each demoted user and the end of the demotion, the oldest first. */
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
    if (this.#demoted.size > maxDemoted) this.#demoted.delete(this.#demoted.keys().next().value);
  }

  /** Moves the user back to `pipelined`. */
  restore({ statement }: Identity): void {
    this.#demoted.delete(statement.expectedUserId);
  }

  placeOf({ statement }: Identity): Place {
    const demoted = this.#demoted.get(statement.expectedUserId);
    return demoted && performance.now() < demoted.until ? demoted.place : 'pipelined';
  }
}
