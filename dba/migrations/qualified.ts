import type { Statement } from '../../lint/statements.ts';
import { maskQuoted, tokenize } from '../../lint/tokens.ts';

const name = '((?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)(?:\\.(?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+))?)';
const kinds = 'table|view|materialized view|foreign table|function|procedure|aggregate|type|domain|sequence';
const options = '(?:(?:if not exists|if exists|only|concurrently) )*';

/** Patterns for masked statements; group 1 is the name that needs a schema. */
const patterns = [
  `^create (?:or replace )?(?:unlogged |recursive )*(?:${kinds}) ${options}${name}`,
  `^(?:alter|drop) (?:${kinds}|index) (?!all in tablespace\\b)${options}${name}`,
  `^(?:create (?:or replace )?(?:constraint )?|alter |drop )(?:policy|trigger) .*? on ${options}${name}`,
  `^create (?:or replace )?rule .*? on \\w+ to ${name}`,
  `^(?:alter|drop) rule .*? on ${name}`,
  `^create (?:unique )?index (?:.*? )?on ${options}${name}`,
  `^(?:insert into|delete from|update|truncate(?: table)?|merge into) ${options}${name}`,
].map((pattern) => new RegExp(pattern, 'is'));

const word = '(?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)';
const temporary = [
  `^create (?:or replace )?(?:local |global )?temp(?:orary)? (?:recursive )?(?:table|view|sequence) ${options}(?:pg_temp\\.)?(${word})`,
  `^create (?:or replace )?(?:unlogged |recursive )*(?:table|view|sequence) ${options}pg_temp\\.(${word})`,
  `^(?:select|with)\\b.*\\binto (?:local |global )?temp(?:orary)? (?:table )?(?:pg_temp\\.)?(${word})`,
  `^(?:select|with)\\b.*\\binto (?:table )?pg_temp\\.(${word})`,
].map((pattern) => new RegExp(pattern, 'is'));
const index = new RegExp(`^create (?:unique )?index ${options}(${word}) on ${options}(?:pg_temp\\.)?(${word})`, 'is');
const renaming = new RegExp(
  `^alter (?:table|view|sequence|index) ${options}(?:pg_temp\\.)?(${word}) rename to (${word})`,
  'is',
);

/** Returns the names of temporary relations and their indexes, which need no schema. */
function temporaryNames(statements: readonly Masked[]): Set<string> {
  const names = new Set<string>();
  for (const { text, restore } of statements) {
    const folded = (one: string) => fold(restore(one));
    const [, made] = temporary.map((pattern) => pattern.exec(text)).find((match) => match) ?? [];
    if (made) names.add(folded(made));
    const [, own, table] = index.exec(text) ?? [];
    if (own && table && names.has(folded(table))) names.add(folded(own));
    const [, before, after] = renaming.exec(text) ?? [];
    if (before && after && names.has(folded(before))) names.add(folded(after));
  }
  return names;
}

type Masked = ReturnType<typeof maskQuoted>;

/** Normalizes a name as Postgres does: `tags`, `TAGS` and `"tags"` are the same name. */
const fold = (one: string) => tokenize(one)[0]?.value ?? one;

/** Whether a statement sets the search path itself. */
function setsSearchPath({ text, restore }: Masked): boolean {
  if (/^set local search_path\b/i.test(text)) return true;
  const [, name] = /(?:^|[ .])set_config \( ('\d+')/i.exec(text) ?? [];
  return name !== undefined && /^search_path$/i.test(fold(restore(name)));
}

/** Finds names without a schema, which a connection with `search_path = pg_catalog` cannot resolve. */
export function unqualifiedName(statements: readonly Statement[]): { line: number; message: string }[] {
  const masked = statements.map(({ sql, line }) => ({ ...maskQuoted(sql), line }));
  const known = temporaryNames(masked);
  const end = masked.findIndex(setsSearchPath);
  const checked = end < 0 ? masked : masked.slice(0, end);
  return checked.flatMap(({ text, restore, line }) => {
    const filled = text.replace(/:[A-Z][0-9A-Z_]+\b/g, 'placeholder');
    const [, found] = patterns.map((pattern) => pattern.exec(filled)).find((match) => match) ?? [];
    if (!found || found.includes('.')) return [];
    const name = restore(found);
    if (known.has(fold(name)) || /^(pg_|placeholder$)/i.test(name)) return [];
    const message = `\`${name}\` has no schema, and search_path is pg_catalog (.gmrc): write \`app_public.${name}\``;
    return [{ line, message }];
  });
}
