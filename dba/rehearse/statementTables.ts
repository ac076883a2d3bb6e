import { withoutComments } from '../migrations/blank.ts';

/** The names that a statement may use as tables. Some of them are not tables. */
export interface StatementTables {
  /** Tables whose rows are updated, deleted or merged into. */
  readonly changed: readonly string[];
  /** Whether the statement changes or inserts rows, or sets a sequence. */
  readonly changes: boolean;
  /** Tables and views that are read. */
  readonly read: readonly string[];
}

const identifier = '(?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)';
const name = `(${identifier}(?:\\.${identifier})?)`;
const literal = /\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'/g;

const changing = new RegExp(`\\b(update|delete\\s+from|merge\\s+into|insert\\s+into)\\s+(?:only\\s+)?${name}`, 'gi');
const reading = new RegExp(`\\b(?:from|join|using|table)\\s+(?:only\\s+)?${name}`, 'gi');
const qualified = new RegExp(`(${identifier}\\.${identifier})`, 'g');
const common = new RegExp(`(${identifier})\\s*(?:\\([^()]*\\)\\s*)?as\\s+(?:(?:not\\s+)?materialized\\s+)?\\(`, 'gi');

/** Matches statements that create a relation from a query: `create table … as`, `select … into`, materialized views. */
const makes =
  /^\s*(create\s+[^;]*?\btable\b[^;]*?\bas\s*\(*\s*(select|with|values|table|execute)\b|create\s+materialized\s+view\b|refresh\s+materialized\s+view\b|(select|with|\()[\s\S]*\binto\b)/i;
/** Matches the relation that such a statement creates. The statement does not read it. */
const madeInto = new RegExp(
  `\\b(?:table|materialized\\s+view|into)\\s+(?:if\\s+not\\s+exists\\s+|concurrently\\s+|temp(?:orary)?\\s+|unlogged\\s+|table\\s+)*${name}`,
  'i',
);
const considered = /^\s*(update|delete|merge|insert|with|select|values|call|create|refresh|\()/i;
const keepsQuery = /^\s*create\s+(?:or\s+replace\s+)?(?!materialized\b|[^(]*\btable\b)/i;

/**
 * Finds the tables of a statement and of the bodies that it runs.
 *
 * @param sql the statement; undefined for a `do` block, whose body is in `bodies`.
 * @param bodies of functions and `do` blocks.
 */
export function statementTables(sql: string | undefined, bodies: readonly string[]): StatementTables {
  const texts = bodies.map(runInBody);
  let made = false;
  let refreshed: string[] = [];
  if (sql !== undefined) {
    const text = withoutComments(sql).replace(literal, "''");
    if (!considered.test(text) || keepsQuery.test(text) || /\bwith\s+no\s+data\s*$/i.test(text))
      return { changed: [], changes: false, read: [] };
    made = makes.test(text) && !/^\s*(with|select|\()[\s\S]*\b(insert|merge)\s+into\b/i.test(text);
    // A refreshed materialized view reads the tables of its query, which is in the catalog.
    refreshed = /^\s*refresh\b/i.test(text) ? [madeInto.exec(text)?.[1] ?? ''] : [];
    texts.push(made ? text.replace(madeInto, ' ') : text);
  }
  const commands = texts.flatMap((text) => [...text.matchAll(changing)]);
  const rest = texts.map((text) => text.replace(changing, ' '));
  const expressions = new Set(texts.flatMap((text) => [...text.matchAll(common)].map(([, one = '']) => one)));
  const names = rest.flatMap((text) =>
    [...text.matchAll(reading), ...text.matchAll(qualified)].map(([, one = '']) => one),
  );
  return {
    changed: commands.filter(([, command = '']) => !/^insert/i.test(command)).map(([, , table = '']) => table),
    changes: made || commands.length > 0 || texts.some((text) => /\bsetval\s*\(/i.test(text)),
    read: [...names.filter((one) => !expressions.has(one)), ...refreshed],
  };
}

/** Removes the comments of a body, and its literals too unless the body has an `execute`, which may run them. */
function runInBody(body: string): string {
  const text = withoutComments(body);
  return /\bexecute\b/i.test(text) ? text : text.replace(literal, "''");
}
