import type { Identity } from './identity.ts';

/** How many users go alone at the most. */
const most = 1000;

/**
 * Users whose transactions have just kept others waiting. Theirs run on connections that are theirs alone for a while:
 * so that nobody waits behind them, and they are not begun twice each time.
 */
export class Apart {
  /** Until when, by user, the oldest first. */
  readonly #until = new Map<unknown, number>();
  readonly #time: number;

  /** @param time milliseconds for which a user goes alone. */
  constructor(time: number) {
    this.#time = time;
  }

  add({ statement }: Identity): void {
    const user = statement.confirms;
    this.#until.delete(user);
    this.#until.set(user, performance.now() + this.#time);
    if (this.#until.size > most) this.#until.delete(this.#until.keys().next().value);
  }

  /** The user's statements are short again. */
  remove({ statement }: Identity): void {
    this.#until.delete(statement.confirms);
  }

  has({ statement }: Identity): boolean {
    const until = this.#until.get(statement.confirms);
    return until !== undefined && performance.now() < until;
  }
}
