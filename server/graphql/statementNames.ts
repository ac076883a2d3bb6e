import { createHash } from 'node:crypto';

interface NameLimits {
  /** Characters of all texts that are remembered. */
  readonly characters: number;
  /** Characters of one text. A longer one has values' places by the hundred, and no second use. */
  readonly longest: number;
}

/**
 * Gives names to the SQL that PostGraphile builds, so that connections keep it prepared and Postgres need not plan it
 * again.
 *
 * A text is unknown, then seen (no name), then named from its second use on, and unknown again once it was not used for
 * longest. A tenant who sends ever new documents so pushes no prepared statement of the others out.
 */
export class StatementNames {
  readonly #limits: NameLimits;
  /** By text, the one that was not used for longest first; empty where it was seen once. */
  readonly #names = new Map<string, string>();
  #characters = 0;

  constructor(limits: NameLimits = { characters: 2_000_000, longest: 20_000 }) {
    this.#limits = limits;
  }

  /** @returns an empty name for a text that is not to be kept prepared. */
  nameOf(text: string): string {
    if (text.length > this.#limits.longest) return '';
    const known = this.#names.get(text);
    const name = known === undefined ? '' : known || createHash('sha256').update(text).digest('hex').slice(0, 40);
    if (known === undefined) this.#characters += text.length;
    else this.#names.delete(text);
    this.#names.set(text, name);
    for (const oldest of this.#names.keys()) {
      if (this.#characters <= this.#limits.characters) break;
      this.#names.delete(oldest);
      this.#characters -= oldest.length;
    }
    return name;
  }
}
