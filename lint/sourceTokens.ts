import { tokenize as scan } from './tokens.ts';

/** A token of SQL or PL/pgSQL. */
export interface Token {
  readonly kind: 'word' | 'string' | 'symbol';
  /** A word as Postgres stores the name, the contents of a string, or one character. */
  readonly text: string;
  /** True for a word in double quotes, which is not a keyword. */
  readonly quoted?: boolean;
}

/** Splits the text of a function into tokens. Quoted names are words, and each symbol is one character. */
export function tokenize(source: string): Token[] {
  return scan(source).flatMap(({ kind, value, sql }): Token[] => {
    if (kind === 'literal') return [{ kind: 'string', text: value }];
    if (kind === 'name') return [{ kind: 'word', text: value, quoted: true }];
    if (kind === 'word' && !/^\d/.test(value)) return [{ kind: 'word', text: value }];
    return (kind === 'word' ? [sql] : [...sql]).map((text) => ({ kind: 'symbol', text }));
  });
}

/** Whether the token at `index` is an unquoted word that matches `words`. */
export function isWord(tokens: readonly Token[], index: number, words: RegExp): boolean {
  const token = tokens[index];
  return token?.kind === 'word' && !token.quoted && words.test(token.text);
}

/** The tokens of the expression of EXECUTE, from `from` on. */
export function expressionFrom(tokens: readonly Token[], from: number): Token[] {
  const end = tokens.findIndex(
    ({ kind, text, quoted }, index) =>
      index >= from &&
      ((kind === 'symbol' && text === ';') || (kind === 'word' && !quoted && /^(into|using|loop)$/.test(text))),
  );
  return tokens.slice(from, end < 0 ? tokens.length : end);
}

/** The value of literals joined by `||`, with optional casts and parentheses. Undefined for other expressions. */
export function textConstant(tokens: readonly Token[]): string | undefined {
  let value = '';
  for (let index = 0; index < tokens.length; index++) {
    const { kind, text } = tokens[index] as Token;
    if (kind === 'string') value += text;
    else if (kind === 'symbol' && text === ':' && tokens[index + 1]?.text === ':') {
      index += 2;
      if (tokens[index + 1]?.text === '.') index += 2;
    } else if (kind !== 'symbol' || !/^[()|]$/.test(text)) return undefined;
  }
  return tokens.some(({ kind }) => kind === 'string') ? value : undefined;
}

/** Whether the FROM at `from` separates arguments, as in `extract(year from x)`. */
export function isInCall(tokens: readonly Token[], from: number): boolean {
  for (let index = from - 1, depth = 0; index >= 0; index--) {
    const token = tokens[index] as Token;
    if (token.kind !== 'symbol') continue;
    if (token.text === ';') return false;
    if (token.text === ')') depth += 1;
    if (token.text === '(' && depth-- === 0) return isWord(tokens, index - 1, /^(extract|substring|trim|overlay)$/);
  }
  return false;
}

/** The operator that starts at a token. Each of its characters is a token. */
export function operatorAt(tokens: readonly Token[], at: number): string {
  let operator = '';
  for (let index = at; tokens[index]?.kind === 'symbol'; index++) {
    const { text } = tokens[index] as Token;
    if (operator === '' && text === '[') return text;
    if (!/^[-+*/<>=~!@#%^&|`?:]$/.test(text)) break;
    operator += text;
  }
  return operator;
}

/** The index of the token after a type name. */
export function endOfType(tokens: readonly Token[], from: number): number {
  let at = from + 1;
  while (isSymbol(tokens, at, '.')) at += 2;
  while (isSymbol(tokens, at, '[') && isSymbol(tokens, at + 1, ']')) at += 2;
  return at;
}

/**
 * The variable or column that receives the value of an expression, or undefined.
 *
 * @param first the index of the first token of the expression.
 * @param stop the index of the token after the expression.
 */
export function assignedName(tokens: readonly Token[], first: number, stop: number): string | undefined {
  if (isWord(tokens, stop, /^(as|into)$/)) {
    const isStrict = isWord(tokens, stop + 1, /^strict$/);
    return tokens[stop + (isStrict ? 2 : 1)]?.text;
  }
  const isAssigned =
    (isSymbol(tokens, first - 1, '=') && isSymbol(tokens, first - 2, ':')) || isAssignment(tokens, first - 1);
  if (!isAssigned && !isWord(tokens, first - 1, /^default$/)) return undefined;
  let index = first - 1;
  while (
    index > 0 &&
    !isSymbol(tokens, index - 1, ';') &&
    !isWord(tokens, index - 1, /^(declare|begin|then|else|loop)$/)
  )
    index -= 1;
  if (!isSymbol(tokens, stop, ';')) return undefined;
  const isField = isSymbol(tokens, index + 1, '.');
  // A field of NEW belongs to the row, not to a variable.
  return isField ? (isWord(tokens, index, /^new$/) ? undefined : tokens[index + 2]?.text) : tokens[index]?.text;
}

/** Whether an `=` is an assignment of PL/pgSQL. Only names precede it in its statement. */
export function isAssignment(tokens: readonly Token[], equals: number): boolean {
  if (!isSymbol(tokens, equals, '=')) return false;
  let index = equals - 1;
  while (tokens[index]?.kind === 'word' && !isWord(tokens, index, /^(declare|begin|then|else|loop)$/)) {
    if (isWord(tokens, index, /^(and|or|not|where|if|elsif|elseif|when|while|on|having|select|return|set|assert)$/))
      return false;
    index -= 1;
  }
  return index < equals - 1 && (isSymbol(tokens, index, ';') || tokens[index]?.kind === 'word');
}

/** Whether the token at `index` is the symbol `text`. */
export function isSymbol(tokens: readonly Token[], index: number, text: string): boolean {
  return tokens[index]?.kind === 'symbol' && tokens[index]?.text === text;
}

/** The index of the parenthesis that closes the one at `open`. */
export function closing(tokens: readonly Token[], open: number): number {
  for (let index = open, depth = 0; index < tokens.length; index++) {
    if (isSymbol(tokens, index, '(')) depth += 1;
    if (isSymbol(tokens, index, ')') && --depth === 0) return index;
  }
  return tokens.length;
}

/** The index of the parenthesis that opens around a token, or -1. */
export function opening(tokens: readonly Token[], inside: number): number {
  for (let index = inside - 1, depth = 0; index >= 0; index--) {
    if (isSymbol(tokens, index, ')')) depth += 1;
    if (isSymbol(tokens, index, '(') && depth-- === 0) return index;
  }
  return -1;
}
