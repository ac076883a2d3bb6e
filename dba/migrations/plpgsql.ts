import { type Token, tokenize } from '../../lint/tokens.ts';

/**
 * Splits a PL/pgSQL body into statements, each an array of tokens. Omits declarations, labels and the keywords that
 * precede statements (`begin`, `then`, `else`, `loop`).
 */
export function plpgsqlStatements(body: string): Token[][] {
  const statements: Token[][] = [[]];
  let declares = false;
  // Nesting depth in `case … end` expressions, whose `then` and `else` start no statement, and in brackets.
  let cases = 0;
  let depth = 0;
  let skipped = 0;
  for (const token of tokenize(body)) {
    const word = token.kind === 'word' ? token.value : token.sql;
    const current = statements.at(-1) as Token[];
    const isFirst = current.length === 0;
    if (skipped > 0) skipped = word === '>>' ? 0 : skipped - 1;
    else if (declares) declares = word !== 'begin';
    else if (isFirst && word === 'declare') declares = true;
    // A label, `<<a>>`, and an option, `#variable_conflict use_column`.
    else if (isFirst && (word === '<<' || word === '#')) skipped = 2;
    else if (word === ';' || (isFirst && word === 'begin') || (cases + depth === 0 && starters.has(word))) {
      cases = 0;
      depth = 0;
      if (!isFirst) statements.push([]);
    } else {
      if (word === '(' || word === '[') depth += 1;
      if (word === ')' || word === ']') depth -= 1;
      if (word === 'case' && !isFirst) cases += 1;
      if (word === 'end' && cases > 0) cases -= 1;
      current.push(token);
    }
  }
  return statements.filter((statement) => statement.length > 0);
}

const starters = new Set(['then', 'else', 'loop']);

/**
 * Approximates the SQL that a PL/pgSQL statement runs with `execute`. Literals keep their text; `%` replaces everything
 * else: `'set ' || name` becomes `set %`, and `format('set %I', name)` becomes `set "%"`. Returns an empty string if the
 * statement has no `execute`.
 */
export function dynamicSql(statement: readonly Token[]): string {
  const at = statement.findIndex(({ kind, value }) => kind === 'word' && value === 'execute');
  if (at < 0) return '';
  const expression = statement.slice(at + 1);
  while (expression[0]?.sql === '(') expression.shift();
  const [first, opening, format] = expression;
  if (first?.value === 'format' && opening?.sql === '(' && format?.kind === 'literal') {
    return format.value
      .replace(/%(?:\d+\$)?-?\d*I/g, '"%"')
      .replace(/%(?:\d+\$)?-?\d*L/g, "'%'")
      .replace(/%(?:\d+\$)?-?\d*s|%%/g, '%');
  }
  let text = '';
  let depth = 0;
  for (const { kind, value, sql } of expression) {
    if (depth === 0 && kind === 'word' && (value === 'using' || value === 'into')) break;
    if (sql === '(') depth += 1;
    else if (sql === ')') depth -= 1;
    else if (depth === 0 && kind === 'literal') text += value;
    else if (sql !== '||' && !text.endsWith('%')) text += '%';
  }
  return text;
}
