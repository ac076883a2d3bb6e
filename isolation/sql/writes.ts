import type { Column } from '../catalog.ts';
import type { Row, SeedData } from '../seedData/seedData.ts';
import type { AttackTarget } from './attackTarget.ts';
import { clear } from './inserts.ts';
import type { SqlAttack } from './sqlAttack.ts';

/** Updates and deletes of A's rows, by key and without a condition, as B and as C, who has no conflicting rows. */
export function writes(seedData: SeedData, target: AttackTarget): SqlAttack[] {
  const { relation, a, b, actors, id, updated, literal } = target;
  const from = relation.sql;
  const attacks: SqlAttack[] = [];
  // Delete B's rows before C's attacks. Conflicts among them would look the same with and without A's rows.
  const alone = clear(seedData, target);
  const add = (attack: string, operation: 'update' | 'delete', actor: SqlAttack['actor'], ...statements: string[]) =>
    attacks.push({
      table: relation.name,
      attack,
      operation,
      actor,
      statements,
      ...(actor === actors.c && { prepare: alone }),
    });
  const all = relation.columns.map(({ name }) => `t.${id(name)}`).join(', ');
  const set = ({ name }: Column) => `${id(name)} = ${literal(name, valueFor(target, name))}`;

  for (const actor of [actors.b, actors.c]) {
    add('delete blind', 'delete', actor, `delete from ${from}`);
    add('delete blind returning', 'delete', actor, `delete from ${from} t returning ${all}`);
    add(
      'merge delete blind',
      'delete',
      actor,
      `merge into ${from} t using (values (1)) s (x) on true when matched then delete`,
    );
    for (const column of updated) {
      add('update blind', 'update', actor, `update ${from} set ${set(column)}`);
      add('update blind with itself', 'update', actor, `update ${from} set ${id(column.name)} = ${id(column.name)}`);
      add(
        'merge update blind',
        'update',
        actor,
        `merge into ${from} t using (values (1)) s (x) on true when matched then update set ${set(column)}`,
      );
    }
  }
  const [first] = updated;
  if (first) {
    add('update blind returning', 'update', actors.b, `update ${from} t set ${set(first)} returning ${all}`);
    add('update blind from', 'update', actors.b, `update ${from} set ${set(first)} from (values (1)) s (x)`);
    add('update every column blind', 'update', actors.c, `update ${from} set ${updated.map(set).join(', ')}`);
  }
  for (const row of a.rows.slice(0, 2)) {
    const where = target.where(row);
    add('delete by key', 'delete', actors.b, `delete from ${from} t where ${where}`);
    add('delete by key returning', 'delete', actors.b, `delete from ${from} t where ${where} returning ${all}`);
    add(
      'merge delete by key',
      'delete',
      actors.b,
      `merge into ${from} t using (values (1)) s (x) on ${where} when matched then delete`,
    );
    for (const column of updated)
      add('update by key', 'update', actors.b, `update ${from} t set ${set(column)} where ${where}`);
    if (first) {
      add(
        'update by key returning',
        'update',
        actors.b,
        `update ${from} t set ${set(first)} where ${where} returning ${all}`,
      );
      add(
        'merge update by key',
        'update',
        actors.b,
        `merge into ${from} t using (values (1)) s (x) on ${where} when matched then update set ${set(first)}`,
      );
    }
  }
  return [...attacks, ...ownWrites(seedData, target), ...collisions(target, a.rows[0], b.rows[0])];
}

/** B's writes to its own rows. They must not affect A's rows through triggers, rules or references. */
function ownWrites(seedData: SeedData, target: AttackTarget): SqlAttack[] {
  const { relation, b, actors, updated, literal, id } = target;
  const table = relation.name;
  const words = seedData.witnessRows.get(relation.oid)?.valueHints;
  return b.rows.slice(0, words?.size ? 8 : 2).flatMap((row) => {
    const where = target.where(row);
    const insertableRows = b.insertableRows[0];
    return [
      {
        table,
        attack: 'delete of its own',
        operation: 'delete' as const,
        actor: actors.b,
        statements: [`delete from ${relation.sql} t where ${where}`],
      },
      ...updated.flatMap(({ name }) =>
        [insertableRows?.[name] ?? row[name] ?? null, ...(words?.get(name) ?? [])].map((value) => ({
          table,
          attack: 'update of its own',
          operation: 'update' as const,
          actor: actors.b,
          statements: [`update ${relation.sql} t set ${id(name)} = ${literal(name, value)} where ${where}`],
        })),
      ),
    ];
  });
}

/** Writes of B as a member of the staff, who may read the table and not write it. */
export function writesOfStaff({ staff, b }: SeedData, target: AttackTarget): SqlAttack[] {
  const { relation, updated, id, literal } = target;
  const prepare = staff.get(relation.oid);
  if (!prepare) return [];
  const write = (operation: 'update' | 'delete', statement: string): SqlAttack => ({
    table: relation.name,
    attack: `${operation} as staff`,
    operation,
    actor: { name: 'B, as a member of the staff', identity: b.id },
    statements: [statement],
    prepare,
    isOfA: true,
  });
  return [
    ...updated.map(({ name }) =>
      write('update', `update ${relation.sql} set ${id(name)} = ${literal(name, valueFor(target, name))}`),
    ),
    write('delete', `delete from ${relation.sql}`),
  ];
}

/** Writes to a table without owners that all tenants may read and, as its comment declares no more, not write. */
export function writesOfReaders({ sharing, b }: SeedData, target: AttackTarget): SqlAttack[] {
  const { relation, ownership, updated, inserted, id, literal } = target;
  const isReadable = sharing.exceptions(relation, 'read').length > 0;
  if (ownership?.kind !== 'shared' || !isReadable || sharing.exceptions(relation, 'write').length > 0) return [];
  const write = (operation: 'insert' | 'update' | 'delete', statement: string): SqlAttack => ({
    table: relation.name,
    attack: `${operation} of what all may read`,
    operation,
    actor: { name: 'B', identity: b.id },
    statements: [statement],
    isOfA: true,
    mustFindNothing: `The comment of ${relation.name} lets others read its rows, and does not let them write.`,
  });
  return [
    ...target.b.insertableRows.flatMap((row) => {
      const columns = inserted.filter(({ name, identity }) => name in row && identity !== 'always');
      if (columns.length === 0) return [];
      const values = columns.map(({ name }) => literal(name, row[name] ?? null)).join(', ');
      return write(
        'insert',
        `insert into ${relation.sql} (${columns.map(({ name }) => id(name)).join(', ')}) values (${values})`,
      );
    }),
    ...updated.map(({ name }) => write('update', `update ${relation.sql} set ${id(name)} = ${id(name)}`)),
    write('delete', `delete from ${relation.sql}`),
  ];
}

/** Updates B's row to the key values of A's row. */
function collisions(target: AttackTarget, theirs: Row | undefined, own: Row | undefined): SqlAttack[] {
  const { relation, actors, updated, id, literal, ownership } = target;
  if (!theirs || !own) return [];
  return relation.keys.flatMap(({ columns }) => {
    const taken = columns.filter(
      (name) => name !== ownership?.column?.name && updated.some((column) => column.name === name),
    );
    if (taken.length === 0) return [];
    const values = taken.map((name) => `${id(name)} = ${literal(name, theirs[name] ?? null)}`);
    return {
      table: relation.name,
      attack: 'update to a key of A',
      operation: 'update' as const,
      actor: actors.b,
      statements: [`update ${relation.sql} t set ${values.join(', ')} where ${target.where(own)}`],
    };
  });
}

/** A valid value for the column that differs from A's values, if there is one. */
function valueFor({ a, b }: AttackTarget, name: string): string | null {
  const values = [...b.insertableRows, ...b.rows, ...a.insertableRows].map((row) => row[name] ?? null);
  return values.find((value) => value !== null && a.rows.every((row) => row[name] !== value)) ?? values[0] ?? null;
}
