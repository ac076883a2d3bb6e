/**
 * Wraps function calls in `(select …)`, which Postgres evaluates once per statement instead of once per row. Calls whose
 * arguments read a column stay unchanged, because their value differs between rows.
 *
 * @param expression in the form that Postgres shows.
 * @param functions names in the form that Postgres shows: `app_public.current_user_id`.
 */
export function wrapCalls(expression: string, functions: readonly string[]): string {
  let text = '';
  let from = 0;
  for (const token of expression.matchAll(
    /'(?:[^']|'')*'|(?:"(?:[^"]|"")*"|[\w$])+(?:\.(?:"(?:[^"]|"")*"|[\w$]+))*(?=\()/g,
  )) {
    const { 0: name, index } = token;
    if (index < from || !functions.includes(name) || / SELECT $/i.test(expression.slice(0, index))) continue;
    const end = endOfCall(expression, index + name.length);
    const call = expression.slice(index, end);
    if (!isConstant(call.slice(name.length + 1, -1))) continue;
    text += `${expression.slice(from, index)}(select ${call})`;
    from = end;
  }
  return text + expression.slice(from);
}

/** The position behind the parenthesis that closes the one at `at`. */
function endOfCall(expression: string, at: number): number {
  let depth = 0;
  for (const token of expression.slice(at).matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]/g)) {
    if (token[0] === '(') depth += 1;
    if (token[0] === ')') depth -= 1;
    if (depth === 0) return at + token.index + 1;
  }
  return expression.length;
}

/** Whether arguments consist only of literals and casts. */
function isConstant(parameters: string): boolean {
  const rest = parameters
    .replace(/'(?:[^']|'')*'/g, ' ')
    .replace(/::\s*"?[\w ]+"?(\[\])?/g, ' ')
    .replace(/\b(true|false|null|\d+(\.\d+)?)\b/gi, ' ');
  return /^[\s,()-]*$/.test(rest);
}
