import { tokenize } from '../../lint/tokens.ts';

/**
 * Replaces comments, string literals, quoted names and dollar-quoted bodies with spaces. The length and the line breaks
 * stay the same, so that positions in the result are positions in the SQL.
 */
export function blank(sql: string): string {
  let text = '';
  for (const { kind, start, end } of tokenize(sql)) {
    if (kind === 'literal' || kind === 'name') continue;
    text += sql.slice(text.length, start).replace(/[^\n]/g, ' ') + sql.slice(start, end);
  }
  return text + sql.slice(text.length).replace(/[^\n]/g, ' ');
}

/** Replaces each comment with a space, or with a newline if it spans lines. */
export function withoutComments(sql: string): string {
  let text = '';
  let from = 0;
  const between = (end: number) => {
    const gap = sql.slice(from, end);
    return gap.trim() === '' ? gap : gap.includes('\n') ? '\n' : ' ';
  };
  for (const { start, end } of tokenize(sql)) {
    text += between(start) + sql.slice(start, end);
    from = end;
  }
  return text + between(sql.length);
}

/** Returns the unquoted body of a `do` statement; `undefined` for any other statement. */
export function bodyOfDo(sql: string): string | undefined {
  const [first, ...rest] = tokenize(sql);
  if (first?.kind !== 'word' || first.value !== 'do') return undefined;
  // The language name may be a literal too. Postgres concatenates literals that only a newline separates.
  const parts = rest.filter(
    ({ kind }, index) => kind === 'literal' && !/^language$/i.test(index > 0 ? (rest[index - 1]?.value ?? '') : ''),
  );
  return parts.length === 0 ? undefined : parts.map(({ value }) => value).join('');
}

/** Returns the arguments of every call of the function `name`, quoted or not, as SQL text. */
export function callArguments(sql: string, name: string): string[][] {
  const tokens = tokenize(sql);
  return tokens.flatMap(({ kind, value }, index): string[][] => {
    const opening = tokens[index + 1];
    if (value !== name || (kind !== 'word' && kind !== 'name') || opening?.sql !== '(') return [];
    const found: string[] = [];
    let from = opening.end;
    let depth = 0;
    for (const token of tokens.slice(index + 2)) {
      if (token.sql === '(' || token.sql === '[') depth += 1;
      if (token.sql === ')' || token.sql === ']') depth -= 1;
      if (depth < 0 || (depth === 0 && token.sql === ',')) {
        found.push(sql.slice(from, token.start));
        from = token.end;
      }
      if (depth < 0) break;
    }
    return [found];
  });
}
