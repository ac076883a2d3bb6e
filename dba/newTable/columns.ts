import { UsageError } from '../../common/usageError.ts';
import { type Definition, readDefinition } from './definition.ts';
import { camel } from './names.ts';
import { splitAtCommas, type Token, tokensOf } from './tokens.ts';

/** A column of a new table, as `--columns` names it. */
export interface Column extends Definition {
  readonly name: string;
  /** Whether a search reads it: a single text, which tenants write. */
  readonly isSearchable: boolean;
}

/** Columns that every new table has, or that its owner decides. */
const given = ['user_id', 'organization_id', 'id', 'created_at', 'search'];

/** Columns that Postgres has in every table. */
const systemColumns = ['ctid', 'xmin', 'cmin', 'xmax', 'cmax', 'tableoid'];

/** Names of fields that the API gives to `id` and to the global id of a row. */
const fields = ['rowId', 'nodeId'];

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
  const tokens = tokensOf(list);
  if (!tokens) {
    throw new UsageError(`The columns cannot be read: a literal, a comment or a parenthesis has no end in ${list}`);
  }
  if (tokens.some(({ text }) => text === ';'))
    throw new UsageError(`The columns cannot be read: leave out ; in ${list}`);
  const columns = splitAtCommas(tokens).map(parseColumn);
  if (columns.length === 0) throw new UsageError('Name the columns: --columns "title text not null, due date".');
  for (const [index, { name }] of columns.entries()) {
    const other = columns.slice(0, index).find((column) => camel(column.name) === camel(name));
    if (other?.name === name) throw new UsageError(`The column ${name} is named twice.`);
    if (other) throw new UsageError(`The columns ${other.name} and ${name} have one name in the API: ${camel(name)}.`);
  }
  for (const { name, reference } of columns) if (reference) demandRelation(name, columns);
  return columns;
}

/**
 * Checks that the API has a name for the row that a column refers to: `list`, for `list_id`.
 *
 * @throws UsageError that names the column in its way.
 */
export function demandRelation(reference: string, columns: readonly Column[]): void {
  const relation = reference.replace(/_id$/, '');
  const other = columns.find(({ name }) => name !== reference && camel(name) === camel(relation));
  if (other) {
    throw new UsageError(
      `The column ${other.name} needs another name: ${camel(relation)} is the field of the row that ${reference} refers to.`,
    );
  }
}

function parseColumn([first, ...rest]: readonly Token[]): Column {
  const name = first?.text ?? '';
  demandName('column', name);
  if (given.includes(name)) throw new UsageError(`The column ${name} is there already: leave it out of --columns.`);
  if (systemColumns.includes(name)) {
    throw new UsageError(`The column ${name} needs another name: Postgres has one of that name in every table.`);
  }
  if (fields.includes(camel(name))) {
    throw new UsageError(`The column ${name} needs another name: the API has a field ${camel(name)} in every type.`);
  }
  const definition = readDefinition(name, rest);
  if (/^(small|big)?serial[248]?$/.test(definition.type) || rest.some(isOfSequence)) {
    throw new UsageError(
      `The column ${name} cannot be a number from a sequence, which counts the rows of all tenants: use a uuid.`,
    );
  }
  const isText = /^("?pg_catalog"?\s*\.\s*)?"?(text|citext|varchar|character varying)\b/.test(definition.type);
  const isArray = /\[|\barray\b/.test(definition.type);
  return { ...definition, name, isSearchable: isText && !isArray && !definition.isGenerated };
}

function isOfSequence({ word, depth }: Token): boolean {
  return word === 'nextval' || (word === 'identity' && depth === 0);
}
