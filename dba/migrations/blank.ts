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

/** The body of a `do` statement, without its quotes; undefined for any other statement. */
export function bodyOfDo(sql: string): string | undefined {
  if (!/^\s*do\b/i.test(blank(sql))) return undefined;
  const [, , dollar, , literal] = /(\$\w*\$)([\s\S]*)\1|(')((?:[^']|'')*)'/.exec(sql) ?? [];
  return dollar ?? literal?.replaceAll("''", "'");
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
