/** A piece of an SQL expression, as pg_get_expr writes them: every operator in parentheses of its own. */
interface Token {
  readonly text: string;
  readonly start: number;
  /** The parenthesis that it stands in, by its place in the text; -1 outside of all. */
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
 * The expression with each token in turn made another.
 *
 * @param replace is told what stands in the same parentheses; undefined leaves the token out of the turn.
 */
export function replaceEach(
  expression: string,
  replace: (token: string, around: string) => string | undefined,
): string[] {
  return tokens(expression).flatMap(({ text, start, group }) => {
    const other = replace(text, expression.slice(group + 1, closing(expression, group)));
    return other === undefined ? [] : [expression.slice(0, start) + other + expression.slice(start + text.length)];
  });
}

/** The expression with each operand of an AND in turn made true, as far as `isWanted` says so of the operand. */
export function dropEachConjunct(expression: string, isWanted: (operand: string) => boolean): string[] {
  const ands = Map.groupBy(
    tokens(expression).filter(({ text }) => text === 'AND'),
    ({ group }) => group,
  );
  return [...ands].flatMap(([group, operators]) => {
    const starts = [group + 1, ...operators.map(({ start }) => start + 'AND'.length)];
    const ends = [...operators.map(({ start }) => start), closing(expression, group)];
    return starts.flatMap((start, at) => {
      const end = ends[at] as number;
      return isWanted(expression.slice(start, end))
        ? [`${expression.slice(0, start)} true ${expression.slice(end)}`]
        : [];
    });
  });
}

/** Where the parenthesis that opens at `group` is closed. */
function closing(expression: string, group: number): number {
  const all = tokens(expression);
  const outer = all.find(({ start }) => start === group)?.group;
  const closed = all.find(({ text, start, group: around }) => text === ')' && start > group && around === outer);
  return closed?.start ?? expression.length;
}
