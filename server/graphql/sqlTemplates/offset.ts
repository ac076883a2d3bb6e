import pg from 'pg';

/** The smallest offset for which selecting the page by key is faster. */
export const minOffsetForKey = 200;

/**
 * Rewrites a select so that it skips rows before it computes its columns. Postgres evaluates the columns of skipped rows
 * too. So an inner select skips rows, and the outer select formats, counts and joins only the rows of the page.
 *
 * The inner select reads the used columns. At a large offset it reads the key columns, which one index may contain: 20
 * todos after an offset of 900 take 0.2 ms instead of 2.3 ms.
 *
 * @param text SQL that PostGraphile built.
 * @param key the columns of the table's primary key, if tenants may read them.
 * @returns the rewritten SQL, or the same SQL if it is not a page of one table (a join, for example).
 */
export function skipBeforeComputing(text: string, key: readonly string[] = []): string {
  const { indices } = (/\noffset \d+;$/.test(text) && page.exec(outline(text))) || {};
  if (!indices?.groups) return text;
  const part = (name: string) => text.slice(...(indices.groups?.[name] ?? [0, 0]));
  const [columns, table, alias, order] = [part('columns'), part('table'), part('alias'), part('order')];
  // A window function includes skipped rows.
  if (/\bover\b/.test(columns)) return text;
  const inner = (selected: Iterable<string>) =>
    `(select ${[...selected].join(', ')} from ${table} as ${alias}${part('where')}${order}${part('limit')}${part('offset')})`;
  // A join with a function would call the function twice.
  const hasKey = key.length > 0 && !table.includes('(');
  if (hasKey && Number(part('offset').slice('\noffset '.length)) >= minOffsetForKey) {
    const names = key.map(pg.escapeIdentifier);
    return `select\n${columns}\nfrom ${inner(names)} as page\njoin ${table} as ${alias} using (${names})${order};`;
  }
  const used = `${columns}${order}`.matchAll(new RegExp(`(?<!\\w)${alias}(?!\\w)(?:\\.("(?:[^"]|"")+"))?`, 'g'));
  const bare = new Set([...used].map(([, column]) => column ?? ''));
  // An empty name means that a function takes the whole row.
  if (bare.size === 0 || bare.has('')) return text;
  return `select\n${columns}\nfrom ${inner(bare)} as ${alias}${order};`;
}

const page =
  /^select\n(?<columns>.+)\nfrom (?<table>\S+) as (?<alias>\w+)(?<where>\nwhere(?:(?!\n(?:group by|having) ).)+?)?(?<order>\norder by .+?)(?<limit>\nlimit \d+)?(?<offset>\noffset \d+);$/ds;

/** Masks quoted text, comments and brackets, so that a regular expression can find the clauses. */
function outline(text: string): string {
  let depth = 0;
  return text.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\/\*.*?\*\/|./gs, (token) => {
    const closed = depth;
    if (token === '(' || token === '[') depth++;
    else if (token === ')' || token === ']') depth--;
    return token.length === 1 && closed + depth === 0 ? token : '·'.repeat(token.length);
  });
}
