/** A token of an SQL expression in the form of pg_get_expr, which puts each operator in its own parentheses. */
interface Token {
  readonly text: string;
  readonly start: number;
  /** The offset of the innermost parenthesis around the token; -1 at the top level. */
  readonly group: number;
}

const pattern = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_][\w$]*|::|[-+*/<>=~!@#%^&|`?]+|[^\s]/g;

export function tokens(expression: string): Token[] {
  const open: number[] = [];
  const found: Token[] = [];
  for (const { 0: text, index: start } of expression.matchAll(pattern)) {
    if (text === ')') open.pop();
    found.push({ text, start, group: open.at(-1) ?? -1 });
    if (text === '(') open.push(start);
  }
  return found;
}

/**
 * Returns variants of an expression. Each variant has one token replaced.
 *
 * @param replace receives a token and the text within the parentheses around it, and returns the replacement. If it
 *   returns undefined, there is no variant for the token.
 */
export function replaceEach(
  expression: string,
  replace: (token: string, surrounding: string) => string | undefined,
): string[] {
  return tokens(expression).flatMap(({ text, start, group }) => {
    const other = replace(text, expression.slice(group + 1, closing(expression, group)));
    return other === undefined ? [] : [expression.slice(0, start) + other + expression.slice(start + text.length)];
  });
}

/**
 * Returns variants of an expression, and what each lacks. Each variant has one operand of an AND replaced with true.
 *
 * @param isWanted selects the operands to replace.
 */
export function dropEachConjunct(
  expression: string,
  isWanted: (operand: string) => boolean,
): { changed: string; dropped: string }[] {
  const ands = Map.groupBy(
    tokens(expression).filter(({ text }) => text === 'AND'),
    ({ group }) => group,
  );
  return [...ands].flatMap(([group, operators]) => {
    const starts = [group + 1, ...operators.map(({ start }) => start + 'AND'.length)];
    const ends = [...operators.map(({ start }) => start), closing(expression, group)];
    return starts.flatMap((start, at) => {
      const end = ends[at] as number;
      const dropped = expression.slice(start, end);
      return isWanted(dropped)
        ? [{ changed: `${expression.slice(0, start)} true ${expression.slice(end)}`, dropped }]
        : [];
    });
  });
}

/** The offset of the parenthesis that closes the one at `group`; the expression's length at the top level. */
function closing(expression: string, group: number): number {
  const all = tokens(expression);
  const outer = all.find(({ start }) => start === group)?.group;
  const closed = all.find(({ text, start, group: around }) => text === ')' && start > group && around === outer);
  return closed?.start ?? expression.length;
}
