import { createHash } from 'node:crypto';

interface NameLimits {
  /** The maximum number of characters of all remembered texts. */
  readonly characters: number;
  /** The maximum length of one text. Longer texts have hundreds of parameters and are not used again. */
  readonly longest: number;
}

/**
 * Names the SQL that PostGraphile builds, so that connections prepare it and Postgres does not plan it again.
 *
 * States of a text:
 * - unknown.
 * - seen: after its first use. It has no name, so it is not prepared. New documents of one tenant therefore do not evict
 *   prepared statements of other tenants.
 * - named: from its second use on.
 *
 * The least recently used texts become unknown again when the memory is full.
 */
export class StatementNames {
  readonly #limits: NameLimits;
  /** Names by text, the least recently used first. The name is empty for a text that was used once. */
  readonly #names = new Map<string, string>();
  #characters = 0;

  constructor(limits: NameLimits = { characters: 2_000_000, longest: 20_000 }) {
    this.#limits = limits;
  }

  /** Returns the name of a text. It is empty for a text that should not be prepared. */
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
