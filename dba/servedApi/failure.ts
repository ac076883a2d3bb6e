import type pg from 'pg';
import type { About } from '../../lint/api.ts';
import { UnservableNameError } from '../../server/graphql/names.ts';

/** A database object that the API may serve. Newer objects have greater oids. */
interface Named {
  readonly object: string;
  readonly name: string;
  readonly oid: number;
  /** Columns of a table, view or composite type; otherwise empty. */
  readonly columns: readonly string[];
}

const namedObjects = `
  select c.oid::regclass::text as object, c.relname as name, c.oid::int8::int as oid,
    array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_class c where c.relnamespace = to_regnamespace('app_public') and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
  union all
  select t.oid::regtype::text, t.typname, t.oid::int8::int, '{}' from pg_type t
  where t.typnamespace = to_regnamespace('app_public') and t.typtype in ('e', 'd', 'r')
  union all
  select 'function ' || p.oid::regprocedure, p.proname, p.oid::int8::int, '{}' from pg_proc p
  where p.pronamespace = to_regnamespace('app_public')
  union all
  -- A computed column, by the name of its field.
  select 'function ' || p.oid::regprocedure, substr(p.proname, length(c.relname) + 2), p.oid::int8::int, '{}'
  from pg_proc p join pg_class c on c.reltype = p.proargtypes[0]
  where p.pronamespace = to_regnamespace('app_public') and starts_with(p.proname, c.relname || '_')
  order by oid desc`;

/**
 * Translates an error of PostGraphile: names the database object that prevents the build, and says what to do.
 *
 * PostGraphile's messages contain GraphQL names only, so the object is found by comparing names.
 */
export async function describeFailure(client: pg.ClientBase, error: Error): Promise<About> {
  const message = error.message.replace(/\s+/g, ' ').trim();
  if (error instanceof UnservableNameError) return { object: error.object, detail: message };
  const { rows } = await client.query<Named>(namedObjects);
  const mentioned = mentionedIn(message, rows);
  const column = columnIn(message, rows, mentioned);
  // The newest object is the likeliest cause.
  const object = column ?? mentioned[0] ?? 'schema app_public';
  return { object, detail: translate(message, mentioned) };
}

/** Finds the column that causes a conflict, if the message names only its field. */
function columnIn(message: string, objects: readonly Named[], mentioned: readonly string[]): string | undefined {
  if (mentioned[0]?.startsWith('function ')) return undefined;
  const isNameless = /invalid name ""/.test(message);
  const [, field] = /same key '(\w+)'/.exec(message) ?? [];
  if (!isNameless && field === undefined) return undefined;
  const isMatch = (column: string) => {
    const plain = column.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase();
    return isNameless ? plain === '' : plain === field?.toLowerCase();
  };
  return objects
    .filter(({ object }) => mentioned.includes(object))
    .flatMap(({ object, columns }) => columns.filter(isMatch).map((column) => `${object}.${quoted(column)}`))[0];
}

/** Finds the objects that a message names, newest first. A named column takes the place of its table. */
function mentionedIn(message: string, objects: readonly Named[]): string[] {
  const words = new Set((message.match(/[\p{L}\p{N}_]+/gu) ?? []).flatMap(formsOf));
  const found = objects.filter(({ name }) => formsOf(name).some((form) => words.has(form)));
  const columns = new Set([...message.matchAll(/'([^']+)' attribute/g)].map(([, column]) => column));
  const objectsFound = found.flatMap(({ object, columns: own }) => {
    const named = own.filter((column) => columns.has(column)).map((column) => `${object}.${quoted(column)}`);
    return named.length > 0 ? named.reverse() : [object];
  });
  return [...new Set(objectsFound)];
}

/** Variants of a name as it appears in the API, in lower case and without underscores. */
function formsOf(name: string): string[] {
  const plain = name.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase();
  const bare = plain
    .replace(/by(my|their).*$/, '')
    .replace(/^(create|update|delete|complete)/, '')
    .replace(/(record|input|payload|condition|orderby|patch|filter|connection|edge|item)$/, '');
  return [...new Set([plain, bare].flatMap((form) => [form, singular(form)]))].filter((form) => form !== '');
}

function singular(word: string): string {
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return word.endsWith('s') ? word.slice(0, -1) : word;
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function translate(message: string, objects: readonly string[]): string {
  const both = objects.slice(0, 2).join(' and ');
  const [, type] = /same type '(\w+)'/.exec(message) ?? [];
  if (type) {
    return objects.length > 1
      ? `${both} would both define the type ${type} of the API: rename one of them`
      : `the API already has a type ${type}: rename it`;
  }
  const [, field, first, second] =
    /same key '(\w+)'\. The first entity was: (.*?) The second entity was: (.*?)(?:\.? Details.*)?$/.exec(message) ??
    [];
  if (field) return `two fields of the API would be called ${field}: ${first}; ${second}. Rename one of them`;
  const [, conflict] = /same key '(\w+)'/.exec(message) ?? [];
  if (conflict) return `two fields of the API would be called ${conflict}: rename ${objects[0] ?? 'one of them'}`;
  if (/invalid name ""/.test(message))
    return 'its name has no letter or digit, so it has no name in the API: rename it';
  const [, argument] = /suitable type for argument codec '(\w+)'/.exec(message) ?? [];
  if (argument)
    return `the API has no input type for its argument of type ${argument}: pass the single values instead, or hide the function with the comment @behavior -*`;
  const [, added] = /second (?:codec|resource) named '(\w+)'/.exec(message) ?? [];
  if (added) return `${both || added} would both be called ${added} in the API: rename one of them`;
  if (/^Invalid @foreignKey/.test(message) && message.includes('user_id')) {
    return 'its @foreignKey names user_id, which the API omits from keys: leave user_id out on both sides, as in `(list_id) references app_public.lists (id)`';
  }
  return `the API cannot be built: ${message}`;
}
