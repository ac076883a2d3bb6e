import type { Statement } from '../linter/statements.ts';

const name = '((?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+)(?:\\.(?:"(?:[^"]|"")+"|[\\w$\\u0080-\\uffff]+))?)';
const kinds = 'table|view|materialized view|foreign table|function|procedure|aggregate|type|domain|sequence';
const options = '(?:(?:if not exists|if exists|only|concurrently) )*';

/** Statements by what they name; group 1 is the name that needs a schema. */
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

/** Names of temporary relations, which need no schema, and of their indexes. */
function temporaryNames(statements: readonly Statement[]): Set<string> {
  const names = new Set<string>();
  const folded = (one: string) => (one.startsWith('"') ? one : one.toLowerCase());
  for (const { text } of statements) {
    const [, made] = temporary.map((pattern) => pattern.exec(text)).find((match) => match) ?? [];
    if (made) names.add(folded(made));
    const [, own, table] = index.exec(text) ?? [];
    if (own && table && names.has(folded(table))) names.add(folded(own));
    const [, before, after] = renaming.exec(text) ?? [];
    if (before && after && names.has(folded(before))) names.add(folded(after));
  }
  return names;
}

const ownSearchPath = /^set local search_path\b|\bset_config\s*\(\s*'search_path'/i;

/** Names without a schema, which a connection with `search_path = pg_catalog` does not find. */
export function unqualifiedName(statements: readonly Statement[]): { line: number; message: string }[] {
  const known = temporaryNames(statements);
  const end = statements.findIndex(({ text }) => ownSearchPath.test(text));
  const checked = end < 0 ? statements : statements.slice(0, end);
  return checked.flatMap(({ text, line }) => {
    const filled = text.replace(/:[A-Z][0-9A-Z_]+\b/g, 'placeholder');
    const [, found] = patterns.map((pattern) => pattern.exec(filled)).find((match) => match) ?? [];
    if (!found || /^("(?:[^"]|"")+"|[^."]+)\./.test(found)) return [];
    if (known.has(found.startsWith('"') ? found : found.toLowerCase()) || /^(pg_|placeholder$)/i.test(found)) return [];
    const message = `\`${found}\` has no schema, and search_path is pg_catalog (.gmrc): write \`app_public.${found}\``;
    return [{ line, message }];
  });
}
