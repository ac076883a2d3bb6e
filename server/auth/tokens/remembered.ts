/** Limits: the number of tokens, the characters of all tokens, and the milliseconds for each token. */
const limits = { count: 10_000, characters: 10_000_000, time: 10 * 60_000 };

/**
 * Caches verified tokens by the whole Authorization header, because verification takes a fifth of a short request. A token
 * leaves the cache when it expires, after ten minutes, or when newer tokens exceed the limits. The database still checks
 * for each request whether the session is active.
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

  /** Adds a token, and forgets the oldest tokens while the cache exceeds its limits. */
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
