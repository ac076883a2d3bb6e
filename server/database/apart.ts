import type { Identity } from './identity.ts';

/** Milliseconds for which a user goes alone, and how many users at the most. */
const time = 10_000;
const most = 1000;

/**
 * Users whose transactions have just kept others waiting. Theirs run on connections that are theirs alone for a while:
 * so that nobody waits behind them, and they are not begun twice each time.
 */
export class Apart {
  /** Until when, by user, the oldest first. */
  readonly #until = new Map<unknown, number>();

  add({ statement }: Identity): void {
    const user = statement.confirms;
    this.#until.delete(user);
    this.#until.set(user, performance.now() + time);
    if (this.#until.size > most) this.#until.delete(this.#until.keys().next().value);
  }

  has({ statement }: Identity): boolean {
    const until = this.#until.get(statement.confirms);
    return until !== undefined && performance.now() < until;
  }
}
