import {
  type GraphQLInputObjectType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
} from 'postgraphile/graphql';
import { carryOut } from './attack.ts';
import { type AttackContext, isOnlyA } from './attackContext.ts';
import type { Member, Question } from './client.ts';
import { connectionOf, type RootField, select } from './schema.ts';
import { argumentsOf, type Filling } from './slots.ts';
import { isDistinctive, nobodys } from './values.ts';

/** Fields of one document: the API takes so many root fields. */
const perDocument = 16;

/** One way to narrow a connection with something of A's. */
interface Narrowing {
  readonly argument: string;
  readonly of: (value: unknown) => unknown;
  readonly value: unknown;
  readonly other: unknown;
  /** What it selects of B's rows is the same for A's value and for nobody's. */
  readonly alike: boolean;
}

/** Narrows and orders a connection by all that A has, as B and as somebody without rows, who must get nothing at all. */
export async function attackConnection(world: AttackContext, root: RootField, base: Filling): Promise<void> {
  const row = connectionOf(root.field.type);
  if (!row) return;
  const of = (argument: string) => root.field.args.find(({ name }) => name === argument)?.type;
  const orders = getNamedType(of('orderBy'));
  const ordered = isEnumType(orders) ? orders.getValues().map(({ name }) => name) : [];
  await inTurns(
    world,
    root,
    base,
    'order',
    ordered.map((name) => constant('orderBy', [name])),
  );

  const rows = world.ofA.rows.get(row.name) ?? [];
  const valuesOf = (field: string) =>
    [...new Set(rows.map((found) => found[field]).filter((value) => value !== null && value !== undefined))].slice(
      0,
      2,
    );
  const pair = (type: string, value: unknown) => ({ value, other: nobodys(value, type, world.taken) });
  const condition = getNamedType(of('condition'));
  const conditions = isInputObjectType(condition) ? Object.values(condition.getFields()) : [];
  await inTurns(
    world,
    ...([root, base, 'condition'] as const),
    conditions.flatMap(({ name, type }) =>
      valuesOf(name).map((value) => ({
        ...{ argument: 'condition', of: (given: unknown) => ({ [name]: given }) },
        ...pair(getNamedType(type).name, value),
        alike: isOnlyA(world, name, value),
      })),
    ),
  );
  const filter = getNamedType(of('filter'));
  if (isInputObjectType(filter)) await inTurns(world, root, base, 'filter', filters(world, row.name, filter));
  const cursors = world.ofA.cursors.get(row.name) ?? [];
  const places = ['after', 'before'].filter((name) => of(name));
  await inTurns(
    world,
    ...([root, base, 'cursor of another'] as const),
    places.flatMap((argument) =>
      cursors
        .slice(0, 2)
        .map((value) => ({ argument, of: (given: unknown) => given, ...pair('Cursor', value), alike: false })),
    ),
  );
}

const constant = (argument: string, value: unknown): Narrowing => ({
  ...{ argument, of: () => value, value: null, other: null, alike: true },
});

/** Each operator of each field with each of A's values, and of the rows that a row belongs to or has. */
function filters(world: AttackContext, typeName: string, filter: GraphQLInputObjectType, deep = true): Narrowing[] {
  const rows = world.ofA.rows.get(typeName) ?? [];
  const seen = new Set(deep ? [] : [filter.name]);
  return Object.values(filter.getFields()).flatMap((field): Narrowing[] => {
    const { name } = field;
    const type = getNamedType(field.type);
    if (['and', 'or', 'not'].includes(name)) return [];
    if (isLeafType(type)) return [constant('filter', { [name]: true }), constant('filter', { [name]: false })];
    if (!isInputObjectType(type)) return [];
    const wrap = (narrowing: Narrowing): Narrowing => ({
      ...narrowing,
      of: (value) => ({ [name]: narrowing.of(value) }),
    });
    const value = rows.map((row) => row[name]).find((given) => given !== null && given !== undefined);
    // What an operator does it does to every column of its type.
    const first = !seen.has(type.name);
    if (value !== undefined) {
      seen.add(type.name);
      return operators(world, name, type, value, first).map(wrap);
    }
    const related = world.api.rows.get(type.name.replace(/Filter$/, '').replace(/^.*ToMany/, ''));
    if (!related || !deep) return [];
    if (!type.getFields().some) return keysOnly(filters(world, related.name, type, false)).map(wrap);
    return ['some', 'none', 'every'].flatMap((quantifier) => {
      const inner = getNamedType(type.getFields()[quantifier]?.type);
      if (!isInputObjectType(inner)) return [];
      const quantified = keysOnly(filters(world, related.name, inner, false));
      return quantified.map((narrowing) =>
        wrap({ ...narrowing, of: (given) => ({ [quantifier]: narrowing.of(given) }) }),
      );
    });
  });
}

const keysOnly = (narrowings: readonly Narrowing[]) =>
  narrowings.filter(({ value, of }) => isDistinctive(value) && /"(equalTo|notEqualTo)"/.test(JSON.stringify(of(''))));

/** Operators that each field is tried with. */
const usual = new Set(['equalTo', 'notEqualTo', 'in', 'isNull']);

/** Comparisons whose answer depends on the value only by whether it is there. */
const byEquality = /^(not)?(equalTo|in|distinctFrom|includes|startsWith|endsWith|like)(Insensitive)?$/i;

/** @param every all operators that there are, or those alone that each field has. */
function operators(
  world: AttackContext,
  field: string,
  type: GraphQLInputObjectType,
  value: unknown,
  every: boolean,
): Narrowing[] {
  const all = Object.values(type.getFields());
  return all
    .filter(({ name }) => every || usual.has(name))
    .flatMap(({ name, type: operand }): Narrowing[] => {
      const list = String(operand).startsWith('[');
      if (getNamedType(operand).name === 'Boolean' && typeof value !== 'boolean') {
        return [constant('filter', { [name]: true }), constant('filter', { [name]: false })];
      }
      if (Array.isArray(value) !== list && Array.isArray(value)) return [];
      const other = nobodys(value, getNamedType(operand).name, world.taken);
      const of = (given: unknown) => ({ [name]: list && !Array.isArray(given) ? [given] : given });
      return [{ argument: 'filter', of, value, other, alike: isOnlyA(world, field, value) && byEquality.test(name) }];
    });
}

async function inTurns(
  world: AttackContext,
  root: RootField,
  base: Filling,
  attack: string,
  narrowings: readonly Narrowing[],
): Promise<void> {
  // Of who has rows of their own, the answer to `greaterThan` depends on the value; of who has none, nothing may.
  const hasNone = (world.ofEmpty.rows.get(root.entity?.name ?? '') ?? []).length === 0;
  const sorted = narrowings.toSorted((one, other) => Number(other.alike) - Number(one.alike));
  for (let from = 0; from < narrowings.length; from += perDocument) {
    const some = sorted.slice(from, from + perDocument);
    const alike = some.every((one) => one.alike);
    await ask(world, root, base, attack, some, { who: world.empty, alike: hasNone || alike, nothing: hasNone });
    await ask(world, root, base, attack, some, { who: world.b, alike });
  }
}

interface Asking {
  readonly who: Member;
  readonly alike: boolean;
  /** They must be told of no row at all. */
  readonly nothing?: boolean;
}

async function ask(
  world: AttackContext,
  root: RootField,
  base: Filling,
  attack: string,
  narrowings: readonly Narrowing[],
  { who, alike, nothing }: Asking,
): Promise<void> {
  if (narrowings.length === 0) return;
  const sent = narrowings.map(({ argument, value }) => ({ name: argument, value }));
  const twin = {
    question: build(world, root, base, narrowings, 'other'),
    sent: narrowings.map(({ argument, other }) => ({ name: argument, value: other })),
  };
  const question = build(world, root, base, narrowings, 'value');
  await carryOut(world, {
    ...{ type: root.entity?.name, attack, operation: 'select', who, question, sent },
    ...(alike && { twin }),
    check: (data) => {
      if (!nothing) return undefined;
      const found = Object.entries(data).find(
        ([, page]) => ((page as { totalCount?: number } | null)?.totalCount ?? 0) > 0,
      );
      return found && `${who.name}, who has no such row, was told of some: ${JSON.stringify(found[1]).slice(0, 200)}`;
    },
  });
}

function build(
  { api }: AttackContext,
  root: RootField,
  base: Filling,
  narrowings: readonly Narrowing[],
  which: 'value' | 'other',
): Question {
  const { field } = root;
  const given = argumentsOf(field, base);
  const variables: Record<string, unknown> = { ...given };
  const declared = field.args.filter(({ name }) => name in given).map(({ name, type }) => `$${name}: ${type}`);
  const fields = narrowings.map((narrowing, index) => {
    const { argument, of } = narrowing;
    const type = field.args.find(({ name }) => name === argument)?.type;
    const page = argument === 'before' ? 'last' : 'first';
    const size = field.args.some(({ name }) => name === page) ? [`${page}: 10`] : [];
    declared.push(`$n${index}: ${type}`);
    variables[`n${index}`] = of(narrowing[which]);
    const passed = [...Object.keys(given).map((name) => `${name}: $${name}`), `${argument}: $n${index}`, ...size];
    return `n${index}: ${field.name}(${passed.join(', ')}) { totalCount nodes { ${keysOf(root, api.rows)} } }`;
  });
  return { document: `query (${declared.join(', ')}) { ${fields.join(' ')} }`, variables };
}

/** Enough of a row to tell whose it is. */
function keysOf({ field }: RootField, rows: AttackContext['api']['rows']): string {
  const row = connectionOf(field.type);
  const names = Object.keys(row?.getFields() ?? {});
  const keys = ['id', 'rowId'].filter((name) => names.includes(name));
  return keys.join(' ') || (row ? select(row, rows).slice(1, -1) : '__typename');
}
