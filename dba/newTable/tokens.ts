/** A token of SQL: a word, a number, a literal, a quoted name or one other character. Comments and white space are skipped. */
export interface Token {
  readonly text: string;
  /** A word in lower case; undefined for other tokens, so that no literal is mistaken for a keyword. */
  readonly word: string | undefined;
  /** The position of the first character. */
  readonly start: number;
  /** The position after the last character. */
  readonly end: number;
  /** The number of enclosing parentheses and brackets. A bracket does not enclose itself. */
  readonly depth: number;
}

const pattern =
  /(?<skip>\s+|--[^\n]*|\/\*)|(?<literal>[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")+")|(?<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<number>\d[\w.]*)|(?<other>[\s\S])/y;

/**
 * Splits SQL into tokens.
 *
 * @returns undefined if a literal or comment is not closed, or if parentheses are unbalanced.
 */
export function tokensOf(sql: string): Token[] | undefined {
  const tokens: Token[] = [];
  let depth = 0;
  for (let start = 0; start < sql.length; ) {
    pattern.lastIndex = start;
    const match = pattern.exec(sql) as RegExpExecArray;
    const [text] = match;
    const groups = match.groups ?? {};
    const end = endOf(sql, start, text, groups.dollar !== undefined);
    if (end === undefined || (groups.other && /['"]/.test(text))) return undefined;
    if (groups.other && /[)\]]/.test(text)) depth -= 1;
    if (depth < 0) return undefined;
    if (!groups.skip) {
      tokens.push({ text: sql.slice(start, end), word: groups.word?.toLowerCase(), start, end, depth });
    }
    if (groups.other && /[([]/.test(text)) depth += 1;
    start = end;
  }
  return depth === 0 ? tokens : undefined;
}

function endOf(sql: string, start: number, text: string, isDollar: boolean): number | undefined {
  const afterOpening = start + text.length;
  if (isDollar) {
    const end = sql.indexOf(text, afterOpening);
    return end < 0 ? undefined : end + text.length;
  }
  if (text !== '/*') return afterOpening;
  // Comments of Postgres nest.
  const marks = /\/\*|\*\//g;
  marks.lastIndex = afterOpening;
  for (let depth = 1, mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return undefined;
}

/** Formats tokens as SQL. Comments and white space between them become one space; literals keep their values. */
export function textOf(tokens: readonly Token[]): string {
  return tokens
    .map((token, index) => {
      const before = tokens[index - 1];
      const isJoined = before?.end === token.start;
      const text = isJoined && before?.text === '&' ? token.text : literalOf(token.text);
      if (!before || (isJoined && (text === token.text || before.word === undefined))) return text;
      // Postgres concatenates adjacent literals only if a line break separates them.
      return before.text.endsWith("'") && text.startsWith("'") ? `\n${text}` : ` ${text}`;
    })
    .join('');
}

/**
 * Rewrites a literal to a form that graphile-migrate parses correctly. It takes an apostrophe in a dollar-quoted literal
 * for the start of another literal, and a backslash at the end of a plain literal for an escape.
 */
function literalOf(text: string): string {
  const value = /^(\$[^$]*\$)([\s\S]*)\1$/.exec(text)?.[2]?.replaceAll("'", "''") ?? /^'([\s\S]*)'$/.exec(text)?.[1];
  if (value === undefined) return text;
  return value.includes('\\') ? `E'${value.replaceAll('\\', '\\\\')}'` : `'${value}'`;
}

/** Splits tokens at the commas outside of parentheses and brackets. */
export function splitAtCommas(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  for (const token of tokens) {
    if (token.text === ',' && token.depth === 0) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts.filter((part) => part.length > 0);
}
