import type { Relation } from '../catalog.ts';
import { setIdentity } from '../identity.ts';
import { checksOf } from './checks.ts';
import { type Condition, schemasOf } from './conditions.ts';
import type { RowValues } from './insertRow.ts';
import type { SeedContext } from './seedContext.ts';

/** Combinations of values to try in one query. */
const maxCombinations = 20_000;
const statementTimeout = '3s';

/**
 * Searches for values of some columns that make a condition true. Postgres evaluates the condition on hypothetical rows,
 * under one identity after another, until it finds a combination.
 *
 * @param choices the candidate values of each column.
 * @param fixed the values of the other columns.
 * @returns up to eight combinations, the likeliest first.
 */
export async function searchValues(
  { client, catalog }: SeedContext,
  table: Relation,
  condition: Condition,
  choices: ReadonlyMap<string, readonly (string | null)[]>,
  fixed: RowValues,
  identities: readonly string[],
): Promise<RowValues[]> {
  const { types } = catalog;
  const { relation, expression, asTenant } = condition;
  const columns = [...choices.keys()];
  const lists = trim(columns.map((name) => choices.get(name) ?? []));
  const id = (name: string) => client.escapeIdentifier(name);
  const alias = id(relation.relname);
  const typeOf = (name: string) => types.get(relation.columns.find((column) => column.name === name)?.type ?? 0)?.name;
  const quoted = (value: string | null | undefined) => (value == null ? 'null' : client.escapeLiteral(value));
  const plain = relation.columns
    .filter(({ generated }) => !generated)
    .map(({ name, default: text }) => {
      const at = columns.indexOf(name);
      const value =
        at >= 0
          ? `c${at}.v`
          : fixed.has(name) || text === null || text.includes('nextval(')
            ? quoted(fixed.get(name))
            : `(${text})`;
      return `${value}::${typeOf(name)} as ${id(name)}`;
    });
  const all = relation.columns.map(({ name, generated, generation }) =>
    generated ? `(${generation})::${typeOf(name)}` : `${alias}.${id(name)}`,
  );
  // The candidate row has the table's row type, for functions that take one.
  const from = [
    ...lists.map(
      (list, i) => `unnest(array[${list.map(quoted).join(', ')}]::text[]) with ordinality as c${i} (v, place)`,
    ),
    `lateral (select row(${all.join(', ')})::${relation.sql} as r from (select ${plain.join(', ')}) as ${alias}) as candidate`,
    `lateral jsonb_populate_record(candidate.r, '{}') as ${alias}`,
  ].join(', ');
  const checks = relation === table ? checksOf(table).map((check) => `(${check.expression}) is not false`) : [];
  const query = (conditions: readonly string[]) =>
    `select ${columns.map((_, i) => `c${i}.v`).join(', ')} from ${from} where ${conditions.join(' and ')}
      order by ${columns.map((_, i) => `c${i}.place`).join(' + ') || '1::int + 0'} limit 8`;
  const tolerant = `create function pg_temp.isolation_holds(${relation.sql}) returns boolean language plpgsql as ${client.escapeLiteral(
    `begin return (select (${expression}) is true from jsonb_populate_record($1, '{}') as ${alias}); exception when others then return false; end`,
  )}`;
  const ways = [
    { prepare: '', text: query([`(${expression}) is true`, ...checks]) },
    // If the condition fails with an error on one row, this function ignores that row and checks the others.
    {
      prepare: `${tolerant}; grant execute on function pg_temp.isolation_holds to public;`,
      text: query(['pg_temp.isolation_holds(candidate.r)']),
    },
  ];
  for (const identity of identities) {
    for (const { prepare, text } of ways) {
      await client.query('savepoint search');
      try {
        await client.query(
          `select set_config('search_path', ${client.escapeLiteral(['pg_catalog', schemasOf(condition)].filter(Boolean).join(', '))}, true);
          set local statement_timeout = '${statementTimeout}'; ${prepare}
          ${setIdentity(catalog, identity)};
          ${asTenant ? `set local role ${client.escapeIdentifier(catalog.role)}` : ''}`,
        );
        const { rows } = await client.query<(string | null)[]>({ text, rowMode: 'array' });
        if (rows.length > 0) return rows.map((row) => new Map(columns.map((name, i) => [name, row[i] ?? null])));
        break;
      } catch (error) {
        if ((error as { code?: string }).code === undefined) throw error;
      } finally {
        await client.query('rollback to savepoint search; release savepoint search');
      }
    }
  }
  return [];
}

/** Shortens the longest lists until the number of combinations fits `maxCombinations`. */
function trim<Value>(lists: readonly (readonly Value[])[]): (readonly Value[])[] {
  let trimmed = [...lists];
  const product = () => trimmed.reduce((so, { length }) => so * Math.max(1, length), 1);
  while (product() > maxCombinations) {
    const longest = Math.max(...trimmed.map(({ length }) => length));
    trimmed = trimmed.map((list) => (list.length === longest ? list.slice(0, Math.ceil(longest * 0.9) - 1) : list));
  }
  return trimmed;
}
