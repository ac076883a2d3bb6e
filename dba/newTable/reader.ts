import { UsageError } from '../../common/usageError.ts';
import type { Token } from './tokens.ts';

/** Reads the tokens of one column from the first to the last. */
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

  /** The keyword at an offset; undefined inside parentheses and as part of a qualified name. */
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

  takeWords(...words: string[]): boolean {
    if (!words.every((word, offset) => this.peek(offset)?.word === word)) return false;
    this.skip(words.length);
    return true;
  }

  /** A name, as Postgres reads it: in lower case unless it is quoted. */
  takeName(): string {
    const { text, word } = this.take();
    if (word !== undefined) return word;
    if (!text.startsWith('"')) this.refuse(text, 'a name is expected in its place');
    return text.slice(1, -1).replaceAll('""', '"');
  }

  /** Names in parentheses; none if there is no parenthesis. */
  takeNames(): string[] {
    const names: string[] = [];
    if (this.next?.text !== '(') return names;
    while (this.take().text !== ')') names.push(this.takeName());
    return names;
  }

  refuse(what: string, advice: string): never {
    throw new UsageError(`The column ${this.column} cannot have ${what}: ${advice}.`);
  }
}
