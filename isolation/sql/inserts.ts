import type { Column } from '../catalog.ts';
import type { Row, SeedData } from '../seedData/seedData.ts';
import type { AttackTarget } from './attackTarget.ts';
import type { SqlAttack } from './sqlAttack.ts';

/** Inserts by B: rows owned by A, rows with A's keys, every form of `on conflict`, and B's own rows. */
export function inserts(seedData: SeedData, target: AttackTarget): SqlAttack[] {
  const { relation, a, b, actors, ownership } = target;
  const attacks: SqlAttack[] = [];
  const add = (attack: string, statement: string, row: Row, prepare = clear(seedData, target)) =>
    attacks.push({
      table: relation.name,
      attack,
      operation: 'insert',
      actor: actors.b,
      statements: [statement],
      ...(b.replaces && row && { prepare }),
    });
  const owner = ownership?.column?.name;
  const writable = relation.columns.filter(({ generated, identity }) => !generated && identity !== 'always');
  const granted = (row: Row) => target.inserted.filter(({ name }) => name in row);

  for (const row of a.insertableRows) {
    const columns = writable.filter(({ name }) => name in row);
    add('insert as A', insert(target, columns, row), row, []);
    add('insert as A returning', `${insert(target, columns, row)} returning *`, row, []);
    const some = writable.filter(
      ({ name }) => name in row && (name === owner || target.inserted.some((column) => column.name === name)),
    );
    if (some.length < columns.length) add('insert as A', insert(target, some, row), row, []);
    add(
      'merge insert as A',
      `merge into ${relation.sql} t using (values (1)) s (x) on false when not matched then insert ${values(target, columns, row)}`,
      row,
      [],
    );
  }
  for (const { userColumn } of seedData.groups.filter(({ members }) => members.oid === relation.oid))
    for (const row of a.insertableRows) {
      const joined = { ...row, [userColumn]: seedData.b.id };
      add("join A's group", insert(target, granted(joined), joined), joined, []);
    }
  for (const row of b.insertableRows) {
    add('insert of its own', insert(target, granted(row), row), row);
    for (const theirs of a.rows.slice(0, 2)) {
      for (const key of relation.keys) {
        // Keep B as the owner. With A as the owner, the policies would refuse the row before the key is checked.
        const taken = key.columns.filter(
          (name) => name !== owner && target.inserted.some((column) => column.name === name),
        );
        if (taken.length === 0) continue;
        const colliding = { ...row, ...Object.fromEntries(taken.map((name) => [name, theirs[name] ?? null])) };
        const into = insert(target, granted(colliding), colliding);
        add('insert with a key of A', into, row);
        for (const [form, clause] of conflicts(target, key))
          add(`insert with a key of A ${form}`, `${into} ${clause}`, row);
      }
    }
  }
  for (const theirs of a.rows.slice(0, 2)) {
    const columns = writable.filter(({ name }) => name in theirs);
    for (const key of relation.keys) {
      for (const [form, clause] of conflicts(target, key)) {
        add(`insert A's row again ${form}`, `${insert(target, columns, theirs)} ${clause}`, theirs, []);
        // Omit the owner, whose default is B. Only a key that lacks the owner column can then conflict.
        const bare = granted(theirs).filter(({ name }) => name !== owner);
        if (bare.length > 0)
          add(
            `insert A's row again without its owner ${form}`,
            `${insert(target, bare, theirs)} ${clause}`,
            theirs,
            [],
          );
      }
    }
  }
  return attacks;
}

/** B references A's rows through each foreign key, by an insert and by an update, and gives its rows to A. */
export function references(seedData: SeedData, target: AttackTarget): SqlAttack[] {
  const { relation, a, b, actors, id, literal, ownership } = target;
  const attacks: SqlAttack[] = [];
  const owner = ownership?.column?.name;
  for (const key of relation.foreignKeys) {
    const parents = seedData.holdings.get(key.references)?.a.rows ?? [];
    for (const theirs of parents.slice(0, 2)) {
      const pointed = Object.fromEntries(
        key.columns.flatMap((name, i) => (name === owner ? [] : [[name, theirs[key.referenced[i] as string] ?? null]])),
      );
      const names = Object.keys(pointed);
      if (names.length === 0) continue;
      const what = `attach to A's row by a foreign key`;
      for (const row of b.insertableRows.slice(0, 1)) {
        const columns = target.inserted.filter(({ name }) => name in row);
        const statement = insert(target, columns, { ...row, ...pointed });
        attacks.push({
          table: relation.name,
          attack: what,
          operation: 'insert',
          actor: actors.b,
          statements: [statement],
          ...(b.replaces && { prepare: clear(seedData, target) }),
        });
      }
      for (const row of b.rows.slice(0, 2)) {
        const assignments = names
          .filter((name) => target.updated.some((column) => column.name === name))
          .map((name) => `${id(name)} = ${literal(name, pointed[name] ?? null)}`)
          .join(', ');
        if (assignments === '') continue;
        attacks.push(
          {
            table: relation.name,
            attack: `${what}, by an update`,
            operation: 'update',
            actor: actors.b,
            statements: [`update ${relation.sql} t set ${assignments} where ${target.where(row)}`],
          },
          {
            table: relation.name,
            attack: `${what}, by a blind update`,
            operation: 'update',
            actor: actors.b,
            statements: [`update ${relation.sql} set ${assignments}`],
            prepare: leaveOnly(seedData, target, row),
          },
        );
      }
    }
  }
  return [...attacks, ...gifts(seedData, target, a.rows)];
}

/** Gives B's row to A: changes the owner alone, and also with all foreign keys null or pointing to A's rows. */
function gifts(seedData: SeedData, target: AttackTarget, theirs: readonly Row[]): SqlAttack[] {
  const { relation, b, actors, id, literal, ownership } = target;
  const owner = ownership?.column;
  if (!owner) return [];
  const others = relation.foreignKeys
    .flatMap(({ columns }) => columns)
    .filter((name) => name !== owner.name && target.updated.some((column) => column.name === name));
  const sets: Record<string, string | null>[] = [{}];
  if (others.length > 0) {
    sets.push(Object.fromEntries(others.map((name) => [name, null])));
    for (const row of theirs.slice(0, 2))
      sets.push(Object.fromEntries(others.map((name) => [name, row[name] ?? null])));
  }
  return b.rows.slice(0, 6).flatMap((row) =>
    sets.flatMap((more) => {
      const set = Object.entries({ [owner.name]: seedData.a.id, ...more }).map(
        ([name, value]) => `${id(name)} = ${literal(name, value)}`,
      );
      const gift = (attack: string, statement: string, prepare: string[] = []): SqlAttack => ({
        table: relation.name,
        attack,
        operation: 'update',
        actor: actors.b,
        statements: [statement],
        prepare,
      });
      return [
        gift('give a row to A', `update ${relation.sql} t set ${set.join(', ')} where ${target.where(row)}`),
        gift(
          'give a row to A, blind',
          `update ${relation.sql} set ${set.join(', ')}`,
          leaveOnly(seedData, target, row),
        ),
      ];
    }),
  );
}

type Key = AttackTarget['relation']['keys'][number];

function conflicts({ updated, id }: AttackTarget, { name, columns, kind, partial }: Key): [string, string][] {
  const forms: [string, string][] = [['on conflict do nothing', 'on conflict do nothing']];
  if (kind === 'exclusion' || partial) return forms;
  const arbiter = `(${columns.map(id).join(', ')})`;
  forms.push(
    ['on conflict (key) do nothing', `on conflict ${arbiter} do nothing`],
    ['on conflict on constraint do nothing', `on conflict on constraint ${id(name)} do nothing`],
  );
  const [column] = updated;
  if (column) {
    const set = `${id(column.name)} = excluded.${id(column.name)}`;
    forms.push(
      ['on conflict do update', `on conflict ${arbiter} do update set ${set}`],
      ['on conflict do update where', `on conflict ${arbiter} do update set ${set} where false`],
      ['on conflict do update returning', `on conflict ${arbiter} do update set ${set} returning *`],
    );
  }
  return forms;
}

function values({ id, literal }: AttackTarget, columns: readonly Column[], row: Row): string {
  if (columns.length === 0) return 'default values';
  // With the privilege to insert into an identity column, OVERRIDING SYSTEM VALUE allows any value.
  const overriding = columns.some(({ identity }) => identity === 'always') ? 'overriding system value ' : '';
  return `(${columns.map(({ name }) => id(name)).join(', ')}) ${overriding}values (${columns.map(({ name }) => literal(name, row[name] ?? null)).join(', ')})`;
}

const insert = (target: AttackTarget, columns: readonly Column[], row: Row) =>
  `insert into ${target.relation.sql} ${values(target, columns, row)}`;

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Deletes B's rows. */
export function clear({ b }: SeedData, { relation, ownership }: AttackTarget): string[] {
  return ownership && ['own', 'parent'].includes(ownership.kind)
    ? [`delete from ${relation.sql} t where ${ownership.sql('t')} = ${quoted(b.id)}`]
    : [];
}

function leaveOnly(seedData: SeedData, target: AttackTarget, row: Row): string[] {
  return clear(seedData, target).map((statement) => `${statement} and not (${target.where(row)})`);
}
