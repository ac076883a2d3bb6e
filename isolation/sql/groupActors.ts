import { parseDeclarations, quoteLiteral } from '../../lint/accessModel.ts';
import { type Catalog, type Groups, type LimitedMember, type Relation, readsSetting } from '../catalog.ts';
import { fill } from '../identity.ts';
import type { SeedData } from '../seedData/seedData.ts';
import type { AttackTarget } from './attackTarget.ts';
import type { Actor, SqlAttack } from './sqlAttack.ts';

/**
 * Whether rows of the table belong to groups. The default of the owner column shows it, or else a policy does. A policy
 * alone may be the fault.
 */
function belongsToGroups(catalog: Catalog, { owners }: SeedData, { oid, policies }: Relation): boolean {
  const { groups, setting } = catalog;
  if (!groups) return false;
  const expression = owners.get(oid)?.column?.default ?? null;
  if (readsSetting(catalog, [expression], groups.setting)) return true;
  const conditions = policies.flatMap(({ using, check }) => [using, check]);
  return !readsSetting(catalog, [expression], setting) && readsSetting(catalog, conditions, groups.setting);
}

/** The limited members of A's group, for a table that belongs to groups. */
function limitedMembersOf(
  catalog: Catalog,
  seedData: SeedData,
  relation: Relation,
): { limits: LimitedMember; actor: Actor }[] {
  const { a } = seedData;
  const { groups } = catalog;
  if (!groups || !belongsToGroups(catalog, seedData, relation)) return [];
  return groups.limited.map((limits) => ({ limits, actor: { name: limits.name, identity: a.id, set: limits.set } }));
}

/** A member who can read a table of its group. */
interface MemberRead extends Pick<SqlAttack, 'actor' | 'prepare'> {
  readonly where: string;
}

/** The reads of a group's table that must work for members. Otherwise a refusal of their attacks would prove nothing. */
export function readsOfMembers(catalog: Catalog, seedData: SeedData, target: AttackTarget): MemberRead[] {
  const { groups } = catalog;
  const { relation } = target;
  if (!groups || !belongsToGroups(catalog, seedData, relation)) return [];
  const limited = limitedMembersOf(catalog, seedData, relation).filter(
    ({ limits }) => !limits.hidden.includes(relation.name),
  );
  const rows = rowsOfGroup(seedData, target);
  return [
    ...limited.map(({ actor }) => ({ actor, where: '' })),
    { ...joined(groups, seedData), actor: memberOfTwo(seedData), where: '' },
    ...(limited.length === groups.limited.length && rows !== undefined
      ? [{ ...joined(groups, seedData), actor: fellowMember(groups, seedData), where: ` where ${rows.unnamed}` }]
      : []),
  ];
}

/** Conditions for rows of A's group: for all, and for those that do not name B as a user who may read them. */
function rowsOfGroup({ a, b }: SeedData, target: AttackTarget): { all: string; unnamed: string } | undefined {
  const { relation, ownership, selected, id, literal } = target;
  const owner = ownership?.column?.name;
  // A condition needs SELECT on the owner column.
  if (owner === undefined || !selected.some(({ name }) => name === owner)) return undefined;
  const named = parseDeclarations(relation.comment).read.flatMap((one) => (one.kind === 'user' ? [one.column] : []));
  const isNotB = named.map((name) => `t.${id(name)} is distinct from ${literal(name, b.id)}`);
  const all = `t.${id(owner)} = ${literal(owner, a.id)}`;
  return { all, unnamed: [all, ...isNotB].join(' and ') };
}

/**
 * Attacks of users who are members of groups:
 *
 * - A limited member of A's group does what the limits forbid.
 * - B, acting for A's group as a member, reaches the rows that are A's own.
 * - B, acting for its own group and also a member of A's, reaches the rows of A's group.
 */
export function attacksOfMembers(catalog: Catalog, seedData: SeedData, target: AttackTarget): SqlAttack[] {
  const { groups } = catalog;
  if (!groups) return [];
  const ofLimited = limitedMembersOf(catalog, seedData, target.relation).flatMap(({ limits, actor }) => [
    ...(limits.hidden.includes(target.relation.name) ? [hiddenRead(target, actor)] : []),
    ...(limits.mayWrite ? [] : forbiddenWrites(target, actor)),
  ]);
  return [
    ...ofLimited,
    ...(actsForOneGroup(catalog, groups, target.relation) ? byMemberOfTwo(groups, seedData, target) : []),
    ...(showsGroups(catalog, seedData, target.relation) ? [] : byFellowMember(groups, seedData, target)),
  ];
}

/** Whether the table, or a table that the view reads, belongs to groups. */
function showsGroups(catalog: Catalog, seedData: SeedData, relation: Relation): boolean {
  const read = relation.reads.flatMap((oid) => catalog.relations.get(oid) ?? []);
  return belongsToGroups(catalog, seedData, relation) || read.some((one) => showsGroups(catalog, seedData, one));
}

/** Whether reads depend on the group of the transaction. Otherwise a member may read the rows of all of its groups. */
function actsForOneGroup(catalog: Catalog, { setting }: Groups, { policies }: Relation): boolean {
  const reading = policies.filter(({ applies, command }) => applies && ['select', 'all'].includes(command));
  return readsSetting(
    catalog,
    reading.map(({ using }) => using),
    setting,
  );
}

const ofA = { isOfA: true as const };

function columnsOf({ selected, id }: AttackTarget): string {
  return selected.map(({ name }) => `t.${id(name)}`).join(', ') || '*';
}

function hiddenRead(target: AttackTarget, actor: Actor): SqlAttack {
  const { relation } = target;
  return {
    ...ofA,
    table: relation.name,
    attack: `select as ${actor.name}`,
    operation: 'select',
    actor,
    statements: [`select ${columnsOf(target)} from ${relation.sql} t`],
    mustFindNothing: `It may not read ${relation.name}.`,
  };
}

function forbiddenWrites(target: AttackTarget, actor: Actor): SqlAttack[] {
  const { relation, a, inserted, updated, id, literal } = target;
  const write = (operation: 'insert' | 'update' | 'delete', statement: string): SqlAttack => ({
    ...ofA,
    table: relation.name,
    attack: `${operation} as ${actor.name}`,
    operation,
    actor,
    statements: [statement],
    mustFindNothing: 'It may write nothing.',
  });
  return [
    ...a.insertableRows.map((row) => {
      const columns = inserted.filter(({ name, identity }) => name in row && identity !== 'always');
      const names = columns.map(({ name }) => id(name)).join(', ');
      const values = columns.map(({ name }) => literal(name, row[name] ?? null)).join(', ');
      const into = columns.length === 0 ? 'default values' : `(${names}) values (${values})`;
      return write('insert', `insert into ${relation.sql} ${into}`);
    }),
    ...updated.map(({ name }) => {
      const value = a.insertableRows[0]?.[name] ?? null;
      return write('update', `update ${relation.sql} set ${id(name)} = ${literal(name, value)}`);
    }),
    write('delete', `delete from ${relation.sql}`),
    {
      ...ofA,
      table: relation.name,
      attack: `select for update as ${actor.name}`,
      operation: 'select',
      actor,
      statements: [`select ${columnsOf(target)} from ${relation.sql} t for update`],
      mustFindNothing: 'It may write nothing, and a row lock stops the writes of others.',
    },
  ];
}

type Statement = readonly [operation: 'select' | 'update' | 'delete', statement: string];

/**
 * A read, an update and a delete of the rows that satisfy a condition.
 *
 * @param written the condition of the update and the delete.
 */
function statementsOn(target: AttackTarget, read: string, written = read): Statement[] {
  const { relation, updated, id } = target;
  const [column] = updated;
  return [
    ['select', `select ${columnsOf(target)} from ${relation.sql} t${read}`],
    ...(column
      ? [['update', `update ${relation.sql} t set ${id(column.name)} = ${id(column.name)}${written}`] as const]
      : []),
    ['delete', `delete from ${relation.sql} t${written}`],
  ];
}

/** B, acting for A's group. */
function fellowMember({ member }: Groups, { a, b }: SeedData): Actor {
  const set = Object.fromEntries(Object.entries(member).map(([name, text]) => [name, fill(text, a.id)]));
  return { name: "B, acting as a member of A's group", identity: b.id, set };
}

/** B, acting for its own group. */
const memberOfTwo = ({ b }: SeedData): Actor => ({
  name: "B, acting for its own group and also a member of A's",
  identity: b.id,
});

/** Makes B a member of A's group. */
function joined({ join }: Groups, { a, b }: SeedData): Required<Pick<SqlAttack, 'prepare'>> {
  return { prepare: [join.replaceAll(/:group\b/g, quoteLiteral(a.id)).replaceAll(/:user\b/g, quoteLiteral(b.id))] };
}

function byFellowMember(groups: Groups, seedData: SeedData, target: AttackTarget): SqlAttack[] {
  return statementsOn(target, '').map(([operation, statement]) => ({
    table: target.relation.name,
    attack: `${operation} as a fellow member`,
    operation: operation === 'select' ? 'other' : operation,
    actor: fellowMember(groups, seedData),
    statements: [statement],
  }));
}

function byMemberOfTwo(groups: Groups, seedData: SeedData, target: AttackTarget): SqlAttack[] {
  const rows = rowsOfGroup(seedData, target);
  if (rows === undefined) return [];
  const { all, unnamed } = rows;
  return statementsOn(target, ` where ${unnamed}`, ` where ${all}`).map(([operation, statement]) => ({
    ...ofA,
    ...joined(groups, seedData),
    table: target.relation.name,
    attack: `${operation} as a member of two`,
    operation,
    actor: memberOfTwo(seedData),
    preparesA: true,
    statements: [statement],
    mustFindNothing: "It acts for its own group, so it must not reach A's.",
  }));
}
