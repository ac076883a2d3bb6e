import type pg from 'pg';
import type { About } from '../../lint/api.ts';
import { UnservableNameError } from '../../server/graphql/names.ts';

/** An object that becomes something in the API. The newer one has the greater oid. */
interface Named {
  readonly object: string;
  readonly name: string;
  readonly oid: number;
  /** Of tables and composite types. */
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

/** Says of PostGraphile's error which object of the database keeps the API from being built, and what to do. */
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

/** The column whose name is in the way, where a message has the field that it makes and not the column. */
function columnIn(message: string, objects: readonly Named[], mentioned: readonly string[]): string | undefined {
  if (mentioned[0]?.startsWith('function ')) return undefined;
  const isNameless = /invalid name ""/.test(message);
  const [, field] = /same key '(\w+)'/.exec(message) ?? [];
  if (!isNameless && field === undefined) return undefined;
  const isMeant = (column: string) => {
    const plain = column.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase();
    return isNameless ? plain === '' : plain === field?.toLowerCase();
  };
  return objects
    .filter(({ object }) => mentioned.includes(object))
    .flatMap(({ object, columns }) => columns.filter(isMeant).map((column) => `${object}.${quoted(column)}`))[0];
}

/** The objects that a message speaks of, the newest first: columns where it names one, with their table. */
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
      ? `${both} would both make the type ${type} of the API: rename one of them`
      : `the type ${type} of the API exists already: rename it`;
  }
  const [, field, first, second] =
    /same key '(\w+)'\. The first entity was: (.*?) The second entity was: (.*?)(?:\.? Details.*)?$/.exec(message) ??
    [];
  if (field) return `two fields of the API would be called ${field}: ${first}; ${second}. Rename one of them`;
  const [, conflict] = /same key '(\w+)'/.exec(message) ?? [];
  if (conflict) return `two fields of the API would be called ${conflict}: rename ${objects[0] ?? 'one of them'}`;
  if (/invalid name ""/.test(message)) return 'its name has no letter or digit for a name in the API: rename it';
  const [, argument] = /suitable type for argument codec '(\w+)'/.exec(message) ?? [];
  if (argument)
    return `the API has no input for its argument of the type ${argument}: give it the values instead, or the comment @behavior -*`;
  const [, added] = /second (?:codec|resource) named '(\w+)'/.exec(message) ?? [];
  if (added) return `${both || added} would both be called ${added} in the API: rename one of them`;
  if (/^Invalid @foreignKey/.test(message) && message.includes('user_id')) {
    return 'its @foreignKey names user_id, which the API leaves out of keys: leave user_id out on both sides, as in `(list_id) references app_public.lists (id)`';
  }
  return `the API cannot be built: ${message}`;
}
