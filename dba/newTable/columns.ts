import { UsageError } from '../../common/usageError.ts';
import { type Definition, readDefinition } from './definition.ts';
import { camel } from './names.ts';
import { splitAtCommas, type Token, tokensOf } from './tokens.ts';

/** A column in `--columns`. */
export interface Column extends Definition {
  readonly name: string;
  /** Whether a search reads the column: true for a text column that is no array and not generated. */
  readonly isSearchable: boolean;
}

/** Columns that new-table adds by itself. */
const addedColumns = ['user_id', 'organization_id', 'id', 'created_at', 'search'];

/** System columns that Postgres adds to every table. */
const systemColumns = ['ctid', 'xmin', 'cmin', 'xmax', 'cmax', 'tableoid'];

/** API fields of every type: `id` is `rowId`, and the global id of a row is `nodeId`. */
const apiFields = ['rowId', 'nodeId'];

/** Reserved words, which cannot name a column or table without quotes. */
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
 * Requires a name that is valid in SQL without quotes.
 *
 * @param kind the kind of the named object, for the message: `table` or `column`.
 * @throws UsageError if the name is invalid, reserved, or longer than 50 characters.
 */
export function demandName(kind: string, name: string): void {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) {
    throw new UsageError(
      `The name of the ${kind} ${name} is invalid. Use lower-case letters, digits and _, with a letter first.`,
    );
  }
  if (name.length > 50) throw new UsageError(`The name of the ${kind} ${name} is too long. Use at most 50 characters.`);
  if (reserved.has(name))
    throw new UsageError(`The ${kind} cannot be named ${name}, a reserved word of SQL. Rename it.`);
}

/**
 * Parses a list of columns such as `title text not null, due date`.
 *
 * @throws UsageError that names the column and says what to write instead.
 */
export function parseColumns(list: string): Column[] {
  const tokens = tokensOf(list);
  if (!tokens) {
    throw new UsageError(`The columns cannot be parsed. Check its quotes, comments and parentheses: ${list}`);
  }
  if (tokens.some(({ text }) => text === ';'))
    throw new UsageError(`The columns cannot be parsed. Leave out the semicolon: ${list}`);
  const columns = splitAtCommas(tokens).map(parseColumn);
  if (columns.length === 0)
    throw new UsageError('--columns is empty. Name the columns: --columns "title text not null, due date".');
  for (const [index, { name }] of columns.entries()) {
    const other = columns.slice(0, index).find((column) => camel(column.name) === camel(name));
    if (other?.name === name) throw new UsageError(`The column ${name} is named twice. Leave one out.`);
    if (other)
      throw new UsageError(
        `The columns ${other.name} and ${name} would have the same name in the API, ${camel(name)}. Rename one of them.`,
      );
  }
  for (const { name, reference } of columns) if (reference) demandRelation(name, columns);
  return columns;
}

/**
 * Requires that the API field for a referenced row is free: `list`, for the column `list_id`.
 *
 * @throws UsageError that names the column with the same field name.
 */
export function demandRelation(reference: string, columns: readonly Column[]): void {
  const relation = reference.replace(/_id$/, '');
  const other = columns.find(({ name }) => name !== reference && camel(name) === camel(relation));
  if (other) {
    throw new UsageError(
      `The column ${other.name} needs another name: in the API, ${camel(relation)} is the field of the row that ${reference} refers to.`,
    );
  }
}

function parseColumn([first, ...rest]: readonly Token[]): Column {
  const name = first?.text ?? '';
  demandName('column', name);
  if (addedColumns.includes(name)) {
    throw new UsageError(`new-table adds the column ${name} itself. Leave it out of --columns.`);
  }
  if (systemColumns.includes(name)) {
    throw new UsageError(`The column ${name} needs another name: every table of Postgres has a system column ${name}.`);
  }
  if (apiFields.includes(camel(name))) {
    throw new UsageError(`The column ${name} needs another name: every type of the API has a field ${camel(name)}.`);
  }
  const definition = readDefinition(name, rest);
  if (/^(small|big)?serial[248]?$/.test(definition.type) || rest.some(usesSequence)) {
    throw new UsageError(
      `The column ${name} cannot use a sequence: its numbers tell a tenant how many rows others add. Use a uuid.`,
    );
  }
  const isText = /^("?pg_catalog"?\s*\.\s*)?"?(text|citext|varchar|character varying)\b/.test(definition.type);
  const isArray = /\[|\barray\b/.test(definition.type);
  return { ...definition, name, isSearchable: isText && !isArray && !definition.isGenerated };
}

function usesSequence({ word, depth }: Token): boolean {
  return word === 'nextval' || (word === 'identity' && depth === 0);
}
