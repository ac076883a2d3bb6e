import type { Relation } from '../catalog.ts';
import { setIdentity } from '../identity.ts';
import { checksOf } from './checks.ts';
import { type Condition, schemasOf } from './conditions.ts';
import type { RowValues } from './insertRow.ts';
import type { SeedContext } from './seedContext.ts';

/** How many rows are thought up for one question, and how long Postgres may think. */
const most = 20_000;
const patience = '3s';

/**
 * Asks Postgres for which values of some columns a condition is true of a row, in the transactions of `identities` one
 * after the other, until one has an answer. The row need not exist.
 *
 * @param fixed what the other columns hold.
 * @returns some combinations, the likeliest first.
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
  // A row of the table's own type, for functions that take one.
  const from = [
    ...lists.map(
      (list, i) => `unnest(array[${list.map(quoted).join(', ')}]::text[]) with ordinality as c${i} (v, place)`,
    ),
    `lateral (select row(${all.join(', ')})::${relation.sql} as r from (select ${plain.join(', ')}) as ${alias}) as candidate`,
    `lateral jsonb_populate_record(candidate.r, '{}') as ${alias}`,
  ].join(', ');
  const checks = relation === table ? checksOf(table).map((check) => `(${check.expression}) is not false`) : [];
  const query = (asked: readonly string[]) =>
    `select ${columns.map((_, i) => `c${i}.v`).join(', ')} from ${from} where ${asked.join(' and ')}
      order by ${columns.map((_, i) => `c${i}.place`).join(' + ') || '1::int + 0'} limit 8`;
  const careful = `create function pg_temp.isolation_holds(${relation.sql}) returns boolean language plpgsql as ${client.escapeLiteral(
    `begin return (select (${expression}) is true from jsonb_populate_record($1, '{}') as ${alias}); exception when others then return false; end`,
  )}`;
  const ways = [
    { prepare: '', text: query([`(${expression}) is true`, ...checks]) },
    // One row that the condition cannot be asked about must not hide the others.
    {
      prepare: `${careful}; grant execute on function pg_temp.isolation_holds to public;`,
      text: query(['pg_temp.isolation_holds(candidate.r)']),
    },
  ];
  for (const identity of identities) {
    for (const { prepare, text } of ways) {
      await client.query('savepoint search');
      try {
        await client.query(
          `select set_config('search_path', ${client.escapeLiteral(['pg_catalog', schemasOf(condition)].filter(Boolean).join(', '))}, true);
          set local statement_timeout = '${patience}'; ${prepare}
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

/** Shortens the longest lists until their product is no more than can be asked at once. */
function trim<Value>(lists: readonly (readonly Value[])[]): (readonly Value[])[] {
  let trimmed = [...lists];
  const product = () => trimmed.reduce((so, { length }) => so * Math.max(1, length), 1);
  while (product() > most) {
    const longest = Math.max(...trimmed.map(({ length }) => length));
    trimmed = trimmed.map((list) => (list.length === longest ? list.slice(0, Math.ceil(longest * 0.9) - 1) : list));
  }
  return trimmed;
}
