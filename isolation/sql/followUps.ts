import type { Column } from '../catalog.ts';
import { functionsInPolicies } from '../mutants/mutantTarget.ts';
import { checksOf } from '../seedData/checks.ts';
import type { Row } from '../seedData/seedData.ts';
import { hintsFor, mentionedColumns, rootOf } from '../seedData/valueHints.ts';
import type { AttackSession } from './attackSession.ts';
import type { AttackTarget } from './attackTarget.ts';
import { calls, valuesFor } from './calls.ts';
import type { Actor, SqlAttack } from './sqlAttack.ts';

/** A statement that B may be allowed to run, after which B may reach more. */
type Step = Pick<SqlAttack, 'table' | 'operation'> & { readonly statement: string };

/** Limits of the calls of one function, of the values of one column, and of the combinations of two steps. */
const maxCalls = 8;
const maxValues = 3;
const maxPairs = 120;

/**
 * Reads everything again after each call or write that B is allowed, and after each two of them: B may have changed what
 * the policies ask, such as a membership, a role or the current workspace.
 */
export async function followUps(
  session: AttackSession,
  targets: readonly AttackTarget[],
  only: (name: string) => boolean,
): Promise<SqlAttack[]> {
  const b: Actor = { name: 'B', identity: session.seedData.b.id };
  const possible = targets
    .filter(({ selected }) => selected.length > 0)
    .map(
      ({ relation, selected, id }) => `select ${selected.map(({ name }) => id(name)).join(', ')} from ${relation.sql}`,
    );
  const answersTo = async (): Promise<string[]> => {
    const answers: string[] = [];
    for (const read of possible)
      answers.push(JSON.stringify(await session.play([{ actor: b, statements: [read] }])) ?? '');
    return answers;
  };
  const answers = await answersTo();
  const without = await session.withoutA(session.seedData.b.id, answersTo);
  // A read that shows A's rows without any step is a leak of its own.
  const reads = possible.filter((_, at) => answers[at] !== '' && answers[at] === without[at]);
  if (reads.length === 0) return [];
  const steps: Step[] = [...callsOfB(session, only)];
  for (const target of targets) steps.push(...(await writesOfB(session, target)));
  const allowed: Step[] = [];
  for (const step of steps) {
    const [[answer] = []] = (await session.play([{ actor: b, statements: [step.statement] }])) ?? [];
    if (answer && (step.operation === 'call' || (answer.count ?? 0) > 0)) allowed.push(step);
  }
  const follow = (...list: readonly [Step, ...Step[]]): SqlAttack => ({
    table: list[0].table,
    attack: `read again after ${list.map(({ operation }) => operation).join(' and ')}`,
    operation: 'other',
    seenFrom: list.length,
    actor: b,
    statements: [...list.map(({ statement }) => statement), ...reads],
  });
  // A second step that is refused alone may be allowed after the first.
  const pairs = allowed.flatMap((first) =>
    steps.filter((second) => second !== first).map((second) => [first, second] as const),
  );
  const nameOf = ({ table, operation }: Step) => `${operation} ${table}`;
  const various = interleaved(pairs, (pair) => pair.map(nameOf).join());
  return [
    ...allowed.map((step) => follow(step)),
    ...various.slice(0, maxPairs).map(([first, second]) => follow(first, second)),
  ];
}

/** The first item of each group, then the second of each, and so on. */
function interleaved<Item>(items: readonly Item[], groupOf: (item: Item) => string): Item[] {
  const groups = [...Map.groupBy(items, groupOf).values()];
  const longest = Math.max(0, ...groups.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => groups.flatMap((group) => group.slice(at, at + 1))).flat();
}

function callsOfB({ catalog, seedData }: AttackSession, only: (name: string) => boolean): Step[] {
  const changing = new Set(catalog.routines.filter(({ volatile }) => volatile).map(({ name }) => name));
  const ofB = calls(catalog, seedData).filter(
    ({ table, attack, actor }) =>
      changing.has(table) && only(table) && actor.identity === seedData.b.id && attack !== 'call with hostile text',
  );
  return [...Map.groupBy(ofB, ({ table }) => table).values()].flatMap((list) =>
    list
      .slice(0, maxCalls)
      .map(({ table, operation, statements: [statement = ''] }) => ({ table, operation, statement })),
  );
}

/** Writes of B's own rows, with keys of A's rows and with values that policies ask for. */
async function writesOfB(session: AttackSession, target: AttackTarget): Promise<Step[]> {
  const { relation, b, inserted, updated, id, literal, ownership } = target;
  if (relation.kind.includes('view')) return [];
  const step = (operation: 'insert' | 'update', statement: string): Step => ({
    table: relation.name,
    operation,
    statement,
  });
  const steps: Step[] = [];
  const [own] = b.rows;
  for (const column of updated.filter(({ name }) => name !== ownership?.column?.name)) {
    for (const value of await valuesOf(session, target, column))
      steps.push(
        step(
          'update',
          `update ${relation.sql} t set ${id(column.name)} = ${value}${own ? ` where ${target.where(own)}` : ''}`,
        ),
      );
  }
  const [row] = b.insertableRows;
  const columns = inserted.filter(({ name, identity }) => row && name in row && identity !== 'always');
  for (const column of columns.filter(({ name }) => name !== ownership?.column?.name)) {
    for (const value of await valuesOf(session, target, column)) {
      const values = columns.map(({ name }) =>
        name === column.name ? value : literal(name, (row as Row)[name] ?? null),
      );
      steps.push(
        step(
          'insert',
          `insert into ${relation.sql} (${columns.map(({ name }) => id(name)).join(', ')}) values (${values.join(', ')})`,
        ),
      );
    }
  }
  return steps;
}

/** Literals of a column: keys of A's rows for the type of a key, and values that policies mention next to the column. */
async function valuesOf(
  { client, catalog, seedData }: AttackSession,
  { relation, literal }: AttackTarget,
  column: Column,
): Promise<string[]> {
  const { name, type } = column;
  const isKeyType = ['uuid', 'integer', 'bigint'].includes(rootOf(catalog.types, type)?.name ?? '');
  const keys = isKeyType ? valuesFor(catalog, seedData, { name, type }, 'a').slice(0, maxValues) : [];
  const text = textOfPolicies(catalog);
  if (!mentionedColumns(relation, text).includes(column)) return keys;
  const { adjacent } = await hintsFor(client, catalog, column, {
    text,
    checks: checksOf(relation).filter(({ columns }) => columns.includes(name)),
    ids: [seedData.a.id],
    idType: undefined,
    seed: seedData.seed,
    n: 1,
  });
  return [...new Set([...keys, ...adjacent.slice(0, maxValues).map((value) => literal(name, value))])];
}

/** The conditions of all policies, and the bodies of the functions that they call. */
function textOfPolicies(catalog: AttackSession['catalog']): string {
  const policies = [...catalog.relations.values()].flatMap((relation) => relation.policies);
  return [
    ...policies.filter(({ applies }) => applies).flatMap(({ using, check }) => [using ?? '', check ?? '']),
    ...functionsInPolicies(catalog).map(({ source }) => source),
  ].join(';\n');
}
