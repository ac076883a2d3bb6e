/** A token of SQL. Comments and whitespace are not tokens. */
export interface Token {
  readonly kind: 'word' | 'name' | 'literal' | 'symbol';
  /** A word in lower case, or a name or literal without quotes and escapes. */
  readonly value: string;
  /** The token as written. */
  readonly sql: string;
  readonly start: number;
  readonly end: number;
}

// The order matters: comments and literals come first, so their contents do not match. Placeholders of .gmrc (`:NAME`)
// are words.
const tokens = new RegExp(
  [
    String.raw`(?<comment>--[^\n]*|\/\*)`,
    String.raw`(?<literal>[eE]'(?:[^'\\]|\\[\s\S]|'')*'|(?:[uU]&|[bBxXnN])?'(?:[^']|'')*')`,
    `(?<name>(?:[uU]&)?"(?:[^"]|"")*")`,
    String.raw`(?<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)`,
    String.raw`(?<word>(?<!:):[A-Z][0-9A-Z_]+\b|[\w\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<symbol>::|:=|=>|<<|>>|\|\||[^\s])`,
  ].join('|'),
  'g',
);

/** Splits SQL into tokens like the scanner of Postgres. The quote of an unterminated literal is a symbol. */
export function tokenize(sql: string): Token[] {
  const found: Token[] = [];
  const scanner = new RegExp(tokens);
  for (let match = scanner.exec(sql); match; match = scanner.exec(sql)) {
    const [text] = match;
    const { comment, literal, name, dollar, word } = match.groups as Record<string, string | undefined>;
    const start = match.index;
    if (comment !== undefined) {
      if (comment === '/*') scanner.lastIndex = endOfComment(sql, scanner.lastIndex);
      continue;
    }
    if (dollar !== undefined) {
      const close = sql.indexOf(dollar, scanner.lastIndex);
      const value = sql.slice(scanner.lastIndex, close < 0 ? sql.length : close);
      scanner.lastIndex = close < 0 ? sql.length : close + dollar.length;
      found.push({ kind: 'literal', value, sql: sql.slice(start, scanner.lastIndex), start, end: scanner.lastIndex });
      continue;
    }
    const kind =
      literal !== undefined ? 'literal' : name !== undefined ? 'name' : word !== undefined ? 'word' : 'symbol';
    let value = kind === 'word' ? text.toLowerCase() : text;
    if (kind === 'literal' || kind === 'name') {
      const ending = /^u&/i.test(text) ? uescape(sql, scanner.lastIndex) : undefined;
      value = unquote(text, ending?.character);
      if (ending) scanner.lastIndex = ending.end;
    }
    found.push({ kind, value, sql: sql.slice(start, scanner.lastIndex), start, end: scanner.lastIndex });
  }
  return found;
}

/**
 * Masks quoted names and literals, so regular expressions match only keywords. Quoted names become `"0"`, literals
 * `'0'`. The result has one space between tokens and none around dots. `restore` puts the original names and literals
 * back.
 */
export function maskQuoted(sql: string): { text: string; restore(part: string): string } {
  const quoted: string[] = [];
  let text = '';
  for (const { kind, sql: token } of tokenize(sql)) {
    const mark = kind === 'literal' ? "'" : '"';
    const shown = kind === 'literal' || kind === 'name' ? `${mark}${quoted.push(token) - 1}${mark}` : token;
    text += text === '' || token === '.' || text.endsWith('.') ? shown : ` ${shown}`;
  }
  return { text, restore: (part) => part.replace(/(["'])(\d+)\1/g, (_, __, index) => quoted[Number(index)] as string) };
}

/** The offset after a comment. `from` is the offset after its `/*`. Comments nest. */
export function endOfComment(sql: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  for (let depth = 1, mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}

/** The escape character in `uescape '…'` after a U& literal, and the offset after that clause. */
function uescape(sql: string, from: number): { character: string; end: number } | undefined {
  const clause = /\s*uescape\s*'([^'])'/iy;
  clause.lastIndex = from;
  const character = clause.exec(sql)?.[1];
  return character === undefined ? undefined : { character, end: clause.lastIndex };
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

function unquote(token: string, mark = '\\'): string {
  const [, prefix = '', quote = '', body = ''] = /^([^'"]*)(['"])([\s\S]*)\2$/.exec(token) ?? [];
  const text = body.replaceAll(quote + quote, quote);
  const character = (hex: string) => String.fromCodePoint(Math.min(Number.parseInt(hex, 16), 0x10ffff));
  if (/^u&$/i.test(prefix)) {
    const escaped = mark.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
    return text.replace(
      new RegExp(`${escaped}(?:([\\da-fA-F]{4})|\\+([\\da-fA-F]{6})|(${escaped}))`, 'g'),
      (_, short?: string, long?: string, itself = '') => (short || long ? character(short ?? long ?? '') : itself),
    );
  }
  if (!/^e$/i.test(prefix)) return text;
  return text.replace(
    /\\(?:x([\da-fA-F]{1,2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g,
    (_, x?: string, u?: string, long?: string, octal?: string, one = '') => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) return character(hex);
      return octal === undefined ? (escapes[one] ?? one) : String.fromCharCode(Number.parseInt(octal, 8));
    },
  );
}
