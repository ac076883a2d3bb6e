/**
 * Postgres computes all that a select asks for of every row that an offset skips, too. Here the rows are skipped in a
 * select of bare columns, and only those of the page are formatted, counted and looked up from: three times as fast for
 * 20 todos behind 900.
 *
 * Takes SQL as PostGraphile builds it and returns it unchanged where it is not a page of one table: from a join, say.
 */
export function skipBeforeComputing(text: string): string {
  const found = page.exec(outline(text));
  if (!found?.indices?.groups) return text;
  const part = (name: string) => text.slice(...(found.indices?.groups?.[name] ?? [0, 0]));
  const [columns, table, alias, order] = ['columns', 'table', 'alias', 'order'].map(part) as [
    string,
    string,
    string,
    string,
  ];
  const used = [...`${columns}${order}`.matchAll(new RegExp(`(?<!\\w)${alias}(?!\\w)(?:\\.("(?:[^"]|"")+"))?`, 'g'))];
  const bare = new Set(used.map(([, column]) => column));
  // A function is given the whole row.
  if (bare.size === 0 || bare.has(undefined)) return text;
  const rows = `select ${[...bare].join(', ')} from ${table} as ${alias}${part('where')}${order}${part('limit')}${part('offset')}`;
  return `select\n${columns}\nfrom (${rows}) as ${alias}${order};`;
}

const page =
  /^select\n(?<columns>.+)\nfrom (?<table>\S+) as (?<alias>\w+)(?<where>\nwhere(?:(?!\n(?:group by|having) ).)+?)?(?<order>\norder by .+?)(?<limit>\nlimit \d+)?(?<offset>\noffset \d+);$/ds;

/** The text with everything quoted, commented or in brackets blotted out, so that its clauses can be told apart. */
function outline(text: string): string {
  let depth = 0;
  return text.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\/\*.*?\*\/|./gs, (token) => {
    const closed = depth;
    if (token === '(' || token === '[') depth++;
    else if (token === ')' || token === ']') depth--;
    return token.length === 1 && closed + depth === 0 ? token : '·'.repeat(token.length);
  });
}
