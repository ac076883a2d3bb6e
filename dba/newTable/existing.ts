import { UsageError } from '../../common/usageError.ts';
import type { Column } from './columns.ts';
import { camel, singular } from './names.ts';

/** The text of the schema to which a new table is added. */
export interface Existing {
  /** The text of migrations/snapshot.txt. */
  readonly snapshot: string;
  /** The text of current.sql. */
  readonly current: string;
}

/** Singular table names that are types or fields of GraphQL or PostGraphile. The singular of a table `s` is empty. */
const takenNames = new Set([
  '',
  ...['node', 'query', 'mutation', 'subscription', 'cursor', 'page info', 'string', 'int', 'float', 'boolean', 'id'],
  ...['box', 'circle', 'line', 'line segment', 'path', 'point', 'polygon', 'date', 'datetime', 'time', 'interval'],
  ...['big int', 'big float', 'bit string', 'json', 'uuid', 'inet', 'cidr', 'mac addr', 'xml'],
]);

/**
 * Requires that the table's name is free in Postgres and in the API.
 *
 * @param search whether the function `search_<name>` must be free too.
 * @throws UsageError if another object has the name.
 */
export function demandFree(name: string, { snapshot, current }: Existing, search: boolean): void {
  const schema = `${snapshot}\n${current}`;
  if (has(schema, `table (if not exists )?app_public\\.${name}\\b`)) {
    throw new UsageError(
      `app_public.${name} exists already, in the migrations or in current.sql. Choose another name.`,
    );
  }
  if (takenNames.has(singular(name))) {
    throw new UsageError(`The table ${name} needs another name: the API already has a type or field of that name.`);
  }
  const others = schema.matchAll(/\b(?:table|view|type|enum|domain|sequence)\s+(?:if not exists )?app_public\.(\w+)/gi);
  for (const [, other = ''] of others) {
    if (camel(singular(other).replaceAll(' ', '_')) === camel(singular(name).replaceAll(' ', '_'))) {
      throw new UsageError(
        `The table ${name} needs another name: app_public.${other} has the same name in Postgres or in the API.`,
      );
    }
  }
  if (search && has(schema, `function app_public\\.search_${name}\\(`)) {
    throw new UsageError(
      `The function app_public.search_${name} exists already. Leave out --search, or rename the table.`,
    );
  }
}

/**
 * Requires that a foreign key with the owner column in front can refer to the target of a column.
 *
 * @param key the owner column, `user_id` or `organization_id`.
 * @throws UsageError that names the column and says what to write instead.
 */
export function demandTarget({ name, reference }: Column, table: string, key: string, existing: Existing): void {
  if (!reference) return;
  const { table: target, column } = reference;
  if (target === 'app_public.users' || target === 'app_public.organizations') {
    const home = key === 'user_id' ? 'app_public.users' : 'app_public.organizations';
    const advice =
      target === home
        ? `Leave it out: ${key} already refers to ${target}.`
        : `Leave out references, or refer to a table of members with the key (${key}, ${name}).`;
    throw new UsageError(
      `The column ${name} cannot refer to ${target}: the foreign key would tell a tenant which rows exist there. ${advice}`,
    );
  }
  if (column === key)
    throw new UsageError(
      `The column ${name} cannot refer to ${key}: the foreign key already contains ${key}. Leave out (${key}).`,
    );
  if (target === `app_public.${table}`) {
    if (column === 'id') return;
    throw new UsageError(`The column ${name} can refer only to the id of ${target}. Leave out (${column}).`);
  }
  // current.sql changes the target, and only Postgres knows the result. `watch` reports a missing key.
  if (has(existing.current, `\\b${target.replace('.', '\\.')}\\b`)) return;
  const described = existing.snapshot.split(/\n{2,}/).find((block) => block.startsWith(`table ${target} `));
  if (!described)
    throw new UsageError(
      `The column ${name} refers to ${target}, but there is no such table. Create it first, or correct the name.`,
    );
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
