// In this order: a comment or a literal begins before anything in it counts.
const tokens =
  /--[^\n]*|\/\*|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[\w\u0080-\uffff]+\$*/g;

/**
 * SQL with spaces in the place of comments, string literals, quoted names and dollar-quoted bodies. Length and lines stay,
 * so that a position in the result is one in the SQL.
 */
export function blank(sql: string): string {
  const scanner = new RegExp(tokens);
  let text = '';
  let from = 0;
  for (let match = scanner.exec(sql); match; match = scanner.exec(sql)) {
    const end = endOf(sql, match);
    if (end === undefined) continue;
    text += sql.slice(from, match.index) + sql.slice(match.index, end).replace(/[^\n]/g, ' ');
    from = end;
    scanner.lastIndex = end;
  }
  return text + sql.slice(from);
}

/** SQL without its comments. */
export function withoutComments(sql: string): string {
  const scanner = new RegExp(tokens);
  let text = '';
  let from = 0;
  for (let match = scanner.exec(sql); match; match = scanner.exec(sql)) {
    const end = endOf(sql, match);
    if (end === undefined) continue;
    if (/^(?:--|\/\*)/.test(match[0])) {
      text += `${sql.slice(from, match.index)} `;
      from = end;
    }
    scanner.lastIndex = end;
  }
  return text + sql.slice(from);
}

/** The body of a `do` statement, without its quotes; undefined for any other statement. */
export function bodyOfDo(sql: string): string | undefined {
  if (!/^\s*do\b/i.test(blank(sql))) return undefined;
  const scanner = new RegExp(tokens);
  let before = '';
  for (let match = scanner.exec(sql); match; match = scanner.exec(sql)) {
    const [token] = match;
    const end = endOf(sql, match);
    if (end !== undefined) scanner.lastIndex = end;
    // The name of the language may be a literal too.
    const isLiteral = /^(?:[eE]?'|\$.*\$$)/.test(token);
    if (isLiteral && !/^language$/i.test(before)) return unquote(sql.slice(match.index, end));
    if (!/^(?:--|\/\*)/.test(token)) before = token;
  }
  return undefined;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

function unquote(literal: string): string {
  const dollar = /^(\$[^$]*\$)([\s\S]*)\1$/.exec(literal)?.[2];
  if (dollar !== undefined) return dollar;
  const text = literal
    .replace(/^[eE]?'/, '')
    .replace(/'$/, '')
    .replaceAll("''", "'");
  if (!/^[eE]/.test(literal)) return text;
  return text.replace(
    /\\(?:x([\da-f]{1,2})|u([\da-f]{4})|U([\da-f]{8})|([0-7]{1,3})|([\s\S]))/gi,
    (_, x?: string, u?: string, long?: string, octal?: string, one = '') => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) return String.fromCodePoint(Math.min(Number.parseInt(hex, 16), 0x10ffff));
      return octal === undefined ? (escapes[one] ?? one) : String.fromCharCode(Number.parseInt(octal, 8));
    },
  );
}

/** The arguments of every call of a function, as they stand in the SQL. */
export function callArguments(sql: string, name: string): string[][] {
  const text = blank(sql);
  return [...text.matchAll(new RegExp(`\\b${name}\\s*\\(`, 'gi'))].map(({ 0: opening, index }) => {
    const found: string[] = [];
    let from = index + opening.length;
    for (let at = from, depth = 0; at < text.length && depth >= 0; at += 1) {
      const character = text[at] as string;
      if ('(['.includes(character)) depth += 1;
      if (')]'.includes(character)) depth -= 1;
      if (depth < 0 || (depth === 0 && character === ',')) {
        found.push(sql.slice(from, at));
        from = at + 1;
      }
    }
    return found;
  });
}

/** Where what begins with a token ends; undefined for a word. */
function endOf(sql: string, { 0: token, index }: RegExpExecArray): number | undefined {
  const behind = index + token.length;
  if (token === '/*') return endOfComment(sql, behind);
  if (/^\$.*\$$/.test(token)) {
    const end = sql.indexOf(token, behind);
    return end < 0 ? sql.length : end + token.length;
  }
  return /^(--|["']|[eE]')/.test(token) ? behind : undefined;
}

/** Comments nest. */
function endOfComment(sql: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  for (let depth = 1, mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}
