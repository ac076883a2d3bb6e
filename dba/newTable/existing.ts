import { UsageError } from '../../common/usageError.ts';
import type { Column } from './columns.ts';
import { camel, singular } from './names.ts';

/** The schema that a new table joins. */
export interface Existing {
  /** The text of migrations/snapshot.txt. */
  readonly snapshot: string;
  /** The text of current.sql. */
  readonly current: string;
}

/** Singulars of table names that are types or fields of GraphQL or PostGraphile. A table `s` has an empty one. */
const taken = new Set([
  '',
  ...['node', 'query', 'mutation', 'subscription', 'cursor', 'page info', 'string', 'int', 'float', 'boolean', 'id'],
  ...['box', 'circle', 'line', 'line segment', 'path', 'point', 'polygon', 'date', 'datetime', 'time', 'interval'],
  ...['big int', 'big float', 'bit string', 'json', 'uuid', 'inet', 'cidr', 'mac addr', 'xml'],
]);

/** @throws UsageError if something else has the table's name, in Postgres or in the API. */
export function demandFree(name: string, { snapshot, current }: Existing, search: boolean): void {
  const schema = `${snapshot}\n${current}`;
  if (has(schema, `table (if not exists )?app_public\\.${name}\\b`)) {
    throw new UsageError(
      `app_public.${name} is there already, in the migrations or in current.sql: choose another name.`,
    );
  }
  if (taken.has(singular(name))) {
    throw new UsageError(`The table ${name} needs another name: the API has a type or a field of that name already.`);
  }
  const others = schema.matchAll(/\b(?:table|view|type|enum|domain|sequence)\s+(?:if not exists )?app_public\.(\w+)/gi);
  for (const [, other = ''] of others) {
    if (camel(singular(other).replaceAll(' ', '_')) === camel(singular(name).replaceAll(' ', '_'))) {
      throw new UsageError(
        `The table ${name} needs another name: app_public.${other} has the same one in Postgres or in the API.`,
      );
    }
  }
  if (search && has(schema, `function app_public\\.search_${name}\\(`)) {
    throw new UsageError(
      `There is a function app_public.search_${name} already: leave out --search, or rename the table.`,
    );
  }
}

/**
 * Refuses what a foreign key that leads with the owner's column cannot refer to.
 *
 * @param key the owner's column, `user_id`.
 * @throws UsageError that names the column and says what to write instead.
 */
export function demandTarget({ name, reference }: Column, table: string, key: string, existing: Existing): void {
  if (!reference) return;
  const { table: target, column } = reference;
  if (target === 'app_public.users' || target === 'app_public.organizations') {
    const home = key === 'user_id' ? 'app_public.users' : 'app_public.organizations';
    const advice =
      target === home
        ? `Leave it out: ${key} refers to ${target} already.`
        : `Leave out references, or refer to a table of members with the key (${key}, ${name}).`;
    throw new UsageError(
      `The column ${name} cannot refer to ${target}: a foreign key would tell a tenant which of its rows exist. ${advice}`,
    );
  }
  if (column === key)
    throw new UsageError(`The column ${name} cannot refer to ${key}: the foreign key has it already.`);
  if (target === `app_public.${table}`) {
    if (column === 'id') return;
    throw new UsageError(`The column ${name} can refer to the id of ${target} only: leave out (${column}).`);
  }
  // current.sql changes the table, and only Postgres can tell how.
  if (has(existing.current, `\\b${target.replace('.', '\\.')}\\b`)) return;
  const described = existing.snapshot.split(/\n{2,}/).find((block) => block.startsWith(`table ${target} `));
  if (!described) throw new UsageError(`The column ${name} refers to ${target}: there is no such table.`);
  const keys = [
    ...described.matchAll(
      /^ {2}constraint .* (?:PRIMARY KEY|UNIQUE(?: NULLS NOT DISTINCT)?) \((.*?)\)(?! DEFERRABLE)/gm,
    ),
  ];
  const wanted = [key, column].sort().join();
  if (keys.some(([, columns = '']) => columns.split(', ').sort().join() === wanted)) return;
  throw new UsageError(
    `The column ${name} cannot refer to ${target} (${column}): it has no key (${key}, ${column}), and a foreign key without ${key} accepts the rows of other tenants. Add unique (${key}, ${column}) to ${target} first.`,
  );
}

function has(text: string, pattern: string): boolean {
  return new RegExp(pattern, 'i').test(text);
}
