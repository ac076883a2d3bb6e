import type { Catalog } from '../catalog.ts';
import type { AttackTarget } from './attackTarget.ts';
import type { SqlAttack } from './sqlAttack.ts';

/** Every way to read A's rows from a table or view. */
export function reads(catalog: Catalog, target: AttackTarget): SqlAttack[] {
  const { relation, a, actors, id, selected } = target;
  const from = relation.sql;
  const table = relation.name;
  const columns = selected.length > 0 ? selected.map(({ name }) => `t.${id(name)}`).join(', ') : '*';
  const read = (attack: string, ...statements: string[]): SqlAttack => ({
    table,
    attack,
    operation: 'select',
    actor: actors.b,
    statements,
  });
  // `for update` also applies the policies for updates. A function that a view calls may write, so a view is 'other'.
  const attacks: SqlAttack[] = [
    {
      ...read('select by scan', `select ${columns} from ${from} t`),
      operation: relation.kind === 'view' ? 'other' : 'select',
    },
    // A's id lies between B's and C's, so either B or C finds a policy that compares ids by order.
    { ...read('select by scan', `select ${columns} from ${from} t`), actor: actors.c },
    read('select count', `select count(*) from ${from}`),
    read('select whole rows', `select to_jsonb(t) from ${from} t`),
    read(
      'select in a subquery',
      `select (select count(*) from ${from} t where ${a.rows.map((row) => `(${target.where(row)})`).join(' or ') || 'true'})`,
    ),
    read('select materialized', `with t as materialized (select ${columns} from ${from} t) select * from t`),
    read(
      'select by cursor',
      `declare probe cursor for select ${columns} from ${from} t`,
      'fetch all from probe',
      'close probe',
    ),
    read('select with row_security off', 'set local row_security = off', `select ${columns} from ${from} t`),
    read('select a sample', `select ${columns} from ${from} t tablesample system (100)`),
    ...['update', 'no key update', 'share', 'key share'].map((lock) =>
      read(`select for ${lock}`, `select ${columns} from ${from} t for ${lock}`),
    ),
    read(
      'select aggregates',
      `select count(*), ${selected.map(({ name }) => `min(t.${id(name)}::text), max(t.${id(name)}::text)`).join(', ') || '1'} from ${from} t`,
    ),
  ];
  for (const row of a.rows.slice(0, 2)) {
    const where = target.where(row);
    attacks.push(
      read('select by key', `select ${columns} from ${from} t where ${where}`),
      read('select exists', `select exists (select from ${from} t where ${where})`),
      read('select by join', `select ${columns} from ${from} t join (select 1) o on ${where}`),
      read('select by key for update', `select ${columns} from ${from} t where ${where} for update`),
    );
  }
  attacks.push(...guesses(target), ...joins(catalog, target), ...estimates(target));
  return attacks;
}

/** Compares each column with A's value, then evaluates a condition that raises an error on A's row, even if hidden. */
function guesses({ relation, a, actors, id, selected }: AttackTarget): SqlAttack[] {
  const [row] = a.rows;
  if (!row) return [];
  const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`;
  return selected.flatMap(({ name }) => {
    const value = row[name] ?? null;
    if (value === null || value.length > 2000) return [];
    const guess = (attack: string, where: string): SqlAttack => ({
      table: relation.name,
      attack,
      operation: 'select',
      actor: actors.b,
      statements: [`select count(*) from ${relation.sql} t where ${where}`],
    });
    return [
      guess('select by a guessed value', `t.${id(name)}::text = ${quoted(value)}`),
      guess(
        'select by a condition that fails on hidden rows',
        `1 / (case when t.${id(name)}::text = ${quoted(value)} then 0 else 1 end) = 1`,
      ),
    ];
  });
}

function joins(catalog: Catalog, { relation, actors, id }: AttackTarget): SqlAttack[] {
  return relation.foreignKeys.flatMap(({ columns, references, referenced }) => {
    const parent = catalog.relations.get(references);
    if (!parent) return [];
    const on = columns.map((name, i) => `t.${id(name)} = p.${id(referenced[i] as string)}`).join(' and ');
    return {
      table: relation.name,
      attack: 'select by join with its parent',
      operation: 'select' as const,
      actor: actors.b,
      statements: [`select count(*), count(p.*) from ${relation.sql} t full join ${parent.sql} p on ${on}`],
    };
  });
}

/** Compares the planner's row estimates for A's value and for an unused value. */
function estimates({ relation, a, actors, id, selected, key, literal }: AttackTarget): SqlAttack[] {
  const [[row], [insertableRows]] = [a.rows, a.insertableRows];
  if (!row || !insertableRows || relation.kind.includes('view')) return [];
  return selected
    .filter(
      ({ name }) =>
        key.includes(name) && row[name] != null && insertableRows[name] != null && row[name] !== insertableRows[name],
    )
    .map(({ name }) => ({
      table: relation.name,
      attack: 'select by estimates of explain',
      operation: 'select' as const,
      actor: actors.b,
      statements: [row, insertableRows].map(
        (one) => `explain select from ${relation.sql} t where t.${id(name)} = ${literal(name, one[name] ?? null)}`,
      ),
      arePlans: true as const,
    }));
}
