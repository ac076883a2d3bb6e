/** What is remembered at the most: tokens, characters in all of them, and milliseconds for each. */
const limits = { count: 10_000, characters: 10_000_000, time: 10 * 60_000 };

/**
 * Tokens that were verified, by the whole Authorization header: a verified token stays verified until it expires, and
 * verifying is a fifth of a short request. Whether its session lives is still asked each time, of the database.
 */
export class RememberedTokens {
  readonly #known = new Map<string, { user: Express.User; until: number }>();
  #characters = 0;

  find(authorization: string): Express.User | undefined {
    const known = this.#known.get(authorization);
    if (!known) return undefined;
    if (known.until > Date.now()) return known.user;
    this.#forget(authorization);
    return undefined;
  }

  /** Beyond the limits the one that came first is forgotten. */
  remember(authorization: string, user: Express.User): void {
    this.#forget(authorization);
    this.#known.set(authorization, { user, until: Math.min(user.expires, Date.now() + limits.time) });
    this.#characters += authorization.length;
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= limits.count && this.#characters <= limits.characters) break;
      this.#forget(oldest);
    }
  }

  #forget(authorization: string): void {
    if (this.#known.delete(authorization)) this.#characters -= authorization.length;
  }
}
