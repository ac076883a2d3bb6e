import { tokenize as scan } from './tokens.ts';

/** A token of SQL or PL/pgSQL. */
export interface Token {
  readonly kind: 'word' | 'string' | 'symbol';
  /** A word as Postgres keeps the name, the contents of a string, or one character. */
  readonly text: string;
  /** Of a word: it is in double quotes, so that it is no keyword. */
  readonly quoted?: boolean;
}

/** The tokens of a function's text: names in quotes are words, and a symbol is one character. */
export function tokenize(source: string): Token[] {
  return scan(source).flatMap(({ kind, value, sql }): Token[] => {
    if (kind === 'literal') return [{ kind: 'string', text: value }];
    if (kind === 'name') return [{ kind: 'word', text: value, quoted: true }];
    if (kind === 'word' && !/^\d/.test(value)) return [{ kind: 'word', text: value }];
    return (kind === 'word' ? [sql] : [...sql]).map((text) => ({ kind: 'symbol', text }));
  });
}

export function isWord(tokens: readonly Token[], index: number, words: RegExp): boolean {
  const token = tokens[index];
  return token?.kind === 'word' && !token.quoted && words.test(token.text);
}

/** The tokens of the expression behind EXECUTE. */
export function expressionFrom(tokens: readonly Token[], from: number): Token[] {
  const end = tokens.findIndex(
    ({ kind, text, quoted }, index) =>
      index >= from &&
      ((kind === 'symbol' && text === ';') || (kind === 'word' && !quoted && /^(into|using|loop)$/.test(text))),
  );
  return tokens.slice(from, end < 0 ? tokens.length : end);
}

/** The value of literals that are joined by `||`, with casts and parentheses around them; undefined for anything else. */
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

/** Whether FROM separates the arguments of a function of the standard. */
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

/** The operator that begins at a token: the characters are tokens of their own. */
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

export function endOfType(tokens: readonly Token[], from: number): number {
  let at = from + 1;
  while (isSymbol(tokens, at, '.')) at += 2;
  while (isSymbol(tokens, at, '[') && isSymbol(tokens, at + 1, ']')) at += 2;
  return at;
}

/** The variable or column that is given the value of an expression. */
export function nameGiven(tokens: readonly Token[], first: number, stop: number): string | undefined {
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
  // Fields of NEW are the row's.
  return isField ? (isWord(tokens, index, /^new$/) ? undefined : tokens[index + 2]?.text) : tokens[index]?.text;
}

/** Whether PL/pgSQL assigns a variable by a plain `=`: only names stand before it in its statement. */
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

export function isSymbol(tokens: readonly Token[], index: number, text: string): boolean {
  return tokens[index]?.kind === 'symbol' && tokens[index]?.text === text;
}

/** The parenthesis that closes the one at `open`. */
export function closing(tokens: readonly Token[], open: number): number {
  for (let index = open, depth = 0; index < tokens.length; index++) {
    if (isSymbol(tokens, index, '(')) depth += 1;
    if (isSymbol(tokens, index, ')') && --depth === 0) return index;
  }
  return tokens.length;
}

/** The parenthesis around a token, or -1. */
export function opening(tokens: readonly Token[], inside: number): number {
  for (let index = inside - 1, depth = 0; index >= 0; index--) {
    if (isSymbol(tokens, index, ')')) depth += 1;
    if (isSymbol(tokens, index, '(') && depth-- === 0) return index;
  }
  return -1;
}
