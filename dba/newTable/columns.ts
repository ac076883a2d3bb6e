import { blank } from '../migrations/blank.ts';
import { UsageError } from '../verb.ts';

/** A column of a new table, as `--columns` names it. */
export interface Column {
  readonly name: string;
  /** Type, default, `not null` and checks; without `unique` and `references`, which become constraints of the table. */
  readonly definition: string;
  readonly isText: boolean;
  readonly isRequired: boolean;
  /** Whether Postgres computes it, so that nobody writes it. */
  readonly isGenerated: boolean;
  readonly isUnique: boolean;
  /** The table that it refers to, `app_public.lists`, and what happens to the row when the other is deleted. */
  readonly references: { readonly table: string; readonly onDelete: string | undefined } | undefined;
}

/** Columns that every new table has, or that its owner decides. */
const given = ['user_id', 'organization_id', 'id', 'created_at', 'search'];

/** Words that Postgres takes for a part of SQL wherever a column or table is named. */
const reserved = new Set(
  `all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column
  concurrently constraint create cross current_catalog current_date current_role current_schema current_time
  current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
  full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
  localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning right
  select session_user similar some symmetric system_user table tablesample then to trailing true union unique user using
  variadic verbose when where window with`.split(/\s+/),
);

/**
 * Checks a name that stands in SQL without quotes.
 *
 * @param what the thing that has the name: `table`, `column`.
 * @throws UsageError that names it.
 */
export function demandName(what: string, name: string): void {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) {
    throw new UsageError(`The ${what} ${name} needs another name: lower-case letters, digits and _, a letter first.`);
  }
  if (name.length > 50) throw new UsageError(`The ${what} ${name} needs a shorter name: at most 50 characters.`);
  if (reserved.has(name)) throw new UsageError(`The ${what} ${name} needs another name: ${name} is a word of SQL.`);
}

/**
 * Reads `title text not null, due date`.
 *
 * @throws UsageError that names the column and says what to write instead.
 */
export function parseColumns(list: string): Column[] {
  const columns = splitList(list).map(parseColumn);
  if (columns.length === 0) throw new UsageError('Name the columns: --columns "title text not null, due date".');
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw new UsageError(`The column ${twice} is named twice.`);
  return columns;
}

function parseColumn(text: string): Column {
  const [, name = '', rest = ''] = /^(\S+)\s+(.*)$/s.exec(text) ?? [];
  if (!name) throw new UsageError(`The column ${text} needs a type: ${text} text.`);
  demandName('column', name);
  if (given.includes(name)) throw new UsageError(`The column ${name} is there already: leave it out of --columns.`);
  const code = blank(rest);
  if (/;|--|\/\*/.test(code) || !isBalanced(code)) {
    throw new UsageError(`The column ${name} cannot be read: ${rest}`);
  }
  if (/\bprimary\s+key\b/i.test(code)) {
    throw new UsageError(`The column ${name} cannot be the primary key: that is the owner's column and id.`);
  }
  const reference =
    /\s*\breferences\s+(\S+?)\s*(?:\(\s*\w+\s*\))?(?:\s+on\s+delete\s+(cascade|restrict|no action|set null))?(?=\s|$)/i;
  const [, table, onDelete] = reference.exec(rest) ?? [];
  if (table && !/^[a-z_]\w*\.[a-z_]\w*$/.test(table)) {
    throw new UsageError(`The column ${name} refers to ${table}: write its schema, app_public.${table}.`);
  }
  const definition = rest
    .replace(reference, '')
    .replace(/\s*\bunique\b/i, '')
    .replace(/\s+/g, ' ')
    .trim();
  return {
    name,
    definition,
    isText: /^(text|citext|varchar|character varying)\b/i.test(definition),
    isRequired: /\bnot\s+null\b/i.test(code),
    isGenerated: /\bgenerated\s+(always|by default)\b/i.test(code),
    isUnique: /\bunique\b/i.test(code),
    references: table ? { table, onDelete: onDelete?.toLowerCase() } : undefined,
  };
}

/** Parts a list at the commas that stand outside of parentheses and literals. */
function splitList(list: string): string[] {
  const code = blank(list);
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at <= code.length; at++) {
    if (code[at] === '(') depth += 1;
    else if (code[at] === ')') depth -= 1;
    else if (at === code.length || (code[at] === ',' && depth === 0)) {
      parts.push(list.slice(from, at).trim());
      from = at + 1;
    }
  }
  return parts.filter(Boolean);
}

function isBalanced(code: string): boolean {
  let depth = 0;
  for (const character of code) {
    if (character === '(') depth += 1;
    if (character === ')' && --depth < 0) return false;
  }
  return depth === 0;
}
