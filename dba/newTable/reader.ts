import { UsageError } from '../../common/usageError.ts';
import type { Token } from './tokens.ts';

/**
 * A cursor over the tokens of one column. `peek` and `wordAt` look ahead, `skip` and the `take` methods advance.
 *
 * The `take` methods throw UsageError if the definition ends too early.
 */
export class Reader {
  readonly column: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(column: string, tokens: readonly Token[]) {
    this.column = column;
    this.#tokens = tokens;
  }

  get next(): Token | undefined {
    return this.peek(0);
  }

  peek(offset: number): Token | undefined {
    return this.#tokens[this.#at + offset];
  }

  /** The word at an offset in lower case; undefined inside parentheses and behind the dot of a qualified name. */
  wordAt(offset: number): string | undefined {
    const token = this.peek(offset);
    return token?.depth === 0 && this.peek(offset - 1)?.text !== '.' ? token.word : undefined;
  }

  skip(count: number): void {
    this.#at += count;
  }

  take(): Token {
    const token = this.next ?? this.refuse('an unfinished definition', 'complete it');
    this.#at += 1;
    return token;
  }

  /** Advances past `words` if they are next, and returns whether they are. */
  takeWords(...words: string[]): boolean {
    if (!words.every((word, offset) => this.peek(offset)?.word === word)) return false;
    this.skip(words.length);
    return true;
  }

  /** Takes a name in the form that Postgres stores: lower case unless it is quoted. */
  takeName(): string {
    const { text, word } = this.take();
    if (word !== undefined) return word;
    if (!text.startsWith('"')) this.refuse(text, 'write a name instead');
    return text.slice(1, -1).replaceAll('""', '"');
  }

  /** Takes a list of names in parentheses; empty if no parenthesis is next. */
  takeNames(): string[] {
    const names: string[] = [];
    if (this.next?.text !== '(') return names;
    while (this.take().text !== ')') names.push(this.takeName());
    return names;
  }

  /** @throws UsageError always, for a part of the definition that new-table does not support. */
  refuse(part: string, advice: string): never {
    throw new UsageError(`The column ${this.column} cannot have ${part}: ${advice}.`);
  }
}
