import type { Catalog } from '../catalog.ts';
import { isTenants } from '../ownership.ts';
import type { AttackSession } from './attackSession.ts';
import type { AttackTarget } from './attackTarget.ts';
import type { SqlAttack } from './sqlAttack.ts';

/** Commands that row-level security does not cover: whole-table commands and changes of the table's definition. */
export function privileges(catalog: Catalog, target: AttackTarget): SqlAttack[] {
  const { relation, a, actors, id, key } = target;
  const table = relation.name;
  const from = relation.sql;
  if (relation.kind.includes('view')) return [];
  const other = (attack: string, statements: string[], mustFail?: string): SqlAttack => ({
    table,
    attack,
    operation: 'other',
    actor: actors.b,
    statements,
    ...(mustFail && { mustFail }),
  });
  const [row] = a.rows;
  const probe = `${id(catalog.schema)}.isolation_probe`;
  const theirs = (name: string) => target.literal(name, row?.[name] ?? null);
  const values = relation.columns.map(({ name }) => `${theirs(name)} as ${id(name)}`).join(', ');
  const temporary = row && `create temp table ${id(relation.relname)} as select ${values}`;
  return [
    other('truncate', [`truncate ${from}`], `B emptied ${table}, with A's rows in it. TRUNCATE ignores policies.`),
    other(
      'truncate cascade',
      [`truncate ${from} cascade`],
      `B emptied ${table}, with A's rows in it. TRUNCATE ignores policies.`,
    ),
    other('lock', [`lock table ${from} in access exclusive mode`]),
    other(
      'disable row-level security',
      [`alter table ${from} disable row level security`],
      'B switched row-level security off.',
    ),
    other('create a policy', [`create policy isolation_probe on ${from} using (true)`], 'B gave itself a policy.'),
    other(
      'create a trigger',
      [
        `create trigger isolation_probe before update on ${from} for each row execute function pg_catalog.suppress_redundant_updates_trigger()`,
      ],
      `B put a trigger on ${table} that runs when A writes.`,
    ),
    ...(row && key.length > 0
      ? [
          other('refer to it from a table of its own', [
            `create table ${probe} (${key.map((name) => `${id(name)} ${catalog.types.get(relation.columns.find((column) => column.name === name)?.type ?? 0)?.name}`).join(', ')}, foreign key (${key.map(id).join(', ')}) references ${from} (${key.map(id).join(', ')}))`,
            `insert into ${probe} values (${key.map(theirs).join(', ')})`,
          ]),
        ]
      : []),
    ...(temporary
      ? [
          other('shadow its name with a temporary table', [
            temporary,
            `set local search_path = pg_temp, ${id(catalog.schema)}`,
            ...catalog.tables
              .filter(({ usage, columns }) => usage && columns.some(({ select }) => select))
              .map(({ sql }) => `select count(*) from ${sql}`),
          ]),
        ]
      : []),
  ];
}

/** Reads in every other role that the server's login role can assume, as the login role, and as the table's owner. */
export async function otherRoles(
  session: AttackSession,
  target: AttackTarget,
  owner: string | undefined,
): Promise<SqlAttack[]> {
  const { relation, actors, selected, id } = target;
  const { catalog, client } = session;
  if (relation.kind.includes('view')) return [];
  const columns = (selected.length ? selected : relation.columns).map(({ name }) => id(name)).join(', ');
  const attacks: SqlAttack[] = [];
  const add = (attack: string, statements: string[], role?: string) =>
    attacks.push({
      table: relation.name,
      attack,
      operation: 'select',
      actor: { ...actors.b, ...(role && { role, name: `B, in the role ${role}` }) },
      statements,
    });
  // Sign-in must find accounts without an identity, so a dedicated role may read the table of tenants.
  if (session.login && !isTenants(relation, target.ownership) && relation.schema === catalog.schema) {
    const { rows } = await client.query<{ role: string }>(
      `select rolname as role from pg_roles where rolname <> $1 and pg_has_role($2, oid, 'member') order by 1`,
      [catalog.role, session.login],
    );
    for (const { role } of rows) {
      add('select in another role', [
        role === session.login ? 'reset role' : `set local role ${id(role)}`,
        `select ${columns} from ${relation.sql}`,
      ]);
    }
  }
  if (owner !== undefined && relation.owner === owner && relation.rowSecurity) {
    add("select as the table's owner", [`select ${columns} from ${relation.sql}`], owner);
  }
  return attacks;
}
