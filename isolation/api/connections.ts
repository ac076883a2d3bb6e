import {
  type GraphQLInputObjectType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
} from 'postgraphile/graphql';
import { runAttack } from './attack.ts';
import { type AttackContext, isOnlyA } from './attackContext.ts';
import type { ApiActor, GraphQLRequest } from './client.ts';
import { connectionOf, type RootField, select } from './schema.ts';
import { type ArgumentValues, argumentsOf } from './slots.ts';
import { isDistinctive, unusedValue } from './values.ts';

/** The maximum number of root fields that the API accepts in one document. */
const fieldsPerDocument = 16;

/** One argument value that narrows or orders a connection, derived from A's rows. */
interface Narrowing {
  readonly argument: string;
  /** Builds the argument from `value` or `other`. */
  readonly of: (value: unknown) => unknown;
  /** A's value. */
  readonly value: unknown;
  /** A value that no tenant has. */
  readonly other: unknown;
  /** Whether both values select the same of B's rows, so that both answers must be equal. */
  readonly mustMatch: boolean;
}

/**
 * Narrows and orders a connection by A's values, as B and as the tenant without rows. The latter must get an empty
 * result.
 */
export async function attackConnection(context: AttackContext, root: RootField, base: ArgumentValues): Promise<void> {
  const row = connectionOf(root.field.type);
  if (!row) return;
  const attack = (name: string, narrowings: readonly Narrowing[]) =>
    attackInBatches(context, root, base, name, narrowings);
  const argumentType = (argument: string) => root.field.args.find(({ name }) => name === argument)?.type;
  const orderBy = getNamedType(argumentType('orderBy'));
  const orders = isEnumType(orderBy) ? orderBy.getValues().map(({ name }) => name) : [];
  await attack(
    'order',
    orders.map((name) => constant('orderBy', [name])),
  );

  const rows = context.ofA.rows.get(row.name) ?? [];
  const valuesOf = (field: string) =>
    [...new Set(rows.map((found) => found[field]).filter((value) => value !== null && value !== undefined))].slice(
      0,
      2,
    );
  const unusedFor = (type: string, value: unknown) => unusedValue(value, type, context.usedValues);
  const condition = getNamedType(argumentType('condition'));
  const conditions = isInputObjectType(condition) ? Object.values(condition.getFields()) : [];
  await attack(
    'condition',
    conditions.flatMap(({ name, type }) =>
      valuesOf(name).map((value) => ({
        argument: 'condition',
        of: (item: unknown) => ({ [name]: item }),
        value,
        other: unusedFor(getNamedType(type).name, value),
        mustMatch: isOnlyA(context, name, value),
      })),
    ),
  );
  const filter = getNamedType(argumentType('filter'));
  if (isInputObjectType(filter)) await attack('filter', filters(context, row.name, filter));
  const cursors = context.ofA.cursors.get(row.name) ?? [];
  await attack(
    'cursor of another tenant',
    ['after', 'before']
      .filter((name) => argumentType(name))
      .flatMap((argument) =>
        cursors.slice(0, 2).map((value) => ({
          argument,
          of: (item: unknown) => item,
          value,
          other: unusedFor('Cursor', value),
          mustMatch: false,
        })),
      ),
  );
}

/** A narrowing without a value of A's. */
const constant = (argument: string, value: unknown): Narrowing => ({
  argument,
  of: () => value,
  value: null,
  other: null,
  mustMatch: true,
});

/**
 * Filters by one of A's values for each field and operator, and by keys of A's related rows.
 *
 * @param deep whether to include related rows.
 */
function filters(context: AttackContext, typeName: string, filter: GraphQLInputObjectType, deep = true): Narrowing[] {
  const rows = context.ofA.rows.get(typeName) ?? [];
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
    // An operator works in the same way for all columns of a type, so one column gets all of them.
    const first = !seen.has(type.name);
    if (value !== undefined) {
      seen.add(type.name);
      return operators(context, name, type, value, first).map(wrap);
    }
    const related = context.api.rows.get(type.name.replace(/Filter$/, '').replace(/^.*ToMany/, ''));
    if (!related || !deep) return [];
    if (!type.getFields().some) return keysOnly(filters(context, related.name, type, false)).map(wrap);
    return ['some', 'none', 'every'].flatMap((quantifier) => {
      const inner = getNamedType(type.getFields()[quantifier]?.type);
      if (!isInputObjectType(inner)) return [];
      const quantified = keysOnly(filters(context, related.name, inner, false));
      return quantified.map((narrowing) =>
        wrap({ ...narrowing, of: (given) => ({ [quantifier]: narrowing.of(given) }) }),
      );
    });
  });
}

const keysOnly = (narrowings: readonly Narrowing[]) =>
  narrowings.filter(({ value, of }) => isDistinctive(value) && /"(equalTo|notEqualTo)"/.test(JSON.stringify(of(''))));

/** The operators to try with each field. */
const basicOperators = new Set(['equalTo', 'notEqualTo', 'in', 'isNull']);

/** Operators whose result depends only on whether a row has the value. */
const byEquality = /^(not)?(equalTo|in|distinctFrom|includes|startsWith|endsWith|like)(Insensitive)?$/i;

/** @param every whether to try all operators instead of the basic ones. */
function operators(
  context: AttackContext,
  field: string,
  type: GraphQLInputObjectType,
  value: unknown,
  every: boolean,
): Narrowing[] {
  const all = Object.values(type.getFields());
  return all
    .filter(({ name }) => every || basicOperators.has(name))
    .flatMap(({ name, type: operand }): Narrowing[] => {
      const list = String(operand).startsWith('[');
      if (getNamedType(operand).name === 'Boolean' && typeof value !== 'boolean') {
        return [constant('filter', { [name]: true }), constant('filter', { [name]: false })];
      }
      if (Array.isArray(value) !== list && Array.isArray(value)) return [];
      const other = unusedValue(value, getNamedType(operand).name, context.usedValues);
      const of = (given: unknown) => ({ [name]: list && !Array.isArray(given) ? [given] : given });
      const mustMatch = isOnlyA(context, field, value) && byEquality.test(name);
      return [{ argument: 'filter', of, value, other, mustMatch }];
    });
}

async function attackInBatches(
  context: AttackContext,
  root: RootField,
  base: ArgumentValues,
  attack: string,
  narrowings: readonly Narrowing[],
): Promise<void> {
  // For a tenant with rows, the answer to `greaterThan` depends on the value. For a tenant without rows, it must not.
  const isEmpty = (context.ofEmpty.rows.get(root.entity?.name ?? '') ?? []).length === 0;
  const sorted = narrowings.toSorted((one, other) => Number(other.mustMatch) - Number(one.mustMatch));
  for (let from = 0; from < narrowings.length; from += fieldsPerDocument) {
    const batch = sorted.slice(from, from + fieldsPerDocument);
    const mustMatch = batch.every((one) => one.mustMatch);
    await attackBatch(context, root, base, attack, batch, {
      actor: context.empty,
      mustMatch: isEmpty || mustMatch,
      mustBeEmpty: isEmpty,
    });
    await attackBatch(context, root, base, attack, batch, { actor: context.b, mustMatch });
  }
}

interface BatchOptions {
  readonly actor: ApiActor;
  readonly mustMatch: boolean;
  /** Whether the answer must not report any row. */
  readonly mustBeEmpty?: boolean;
}

async function attackBatch(
  context: AttackContext,
  root: RootField,
  base: ArgumentValues,
  attack: string,
  narrowings: readonly Narrowing[],
  { actor, mustMatch, mustBeEmpty }: BatchOptions,
): Promise<void> {
  if (narrowings.length === 0) return;
  const paired = {
    request: createBatchRequest(context, root, base, narrowings, 'other'),
    sent: narrowings.map(({ argument, other }) => ({ name: argument, value: other })),
  };
  await runAttack(context, {
    type: root.entity?.name,
    attack,
    operation: 'select',
    actor,
    request: createBatchRequest(context, root, base, narrowings, 'value'),
    sent: narrowings.map(({ argument, value }) => ({ name: argument, value })),
    ...(mustMatch && { paired }),
    check: (data) => {
      if (!mustBeEmpty) return undefined;
      const found = Object.entries(data).find(
        ([, page]) => ((page as { totalCount?: number } | null)?.totalCount ?? 0) > 0,
      );
      return (
        found && `${actor.name} has no such row, but the answer reports some: ${JSON.stringify(found[1]).slice(0, 200)}`
      );
    },
  });
}

/** Builds one document with a field for each narrowing. */
function createBatchRequest(
  { api }: AttackContext,
  root: RootField,
  base: ArgumentValues,
  narrowings: readonly Narrowing[],
  which: 'value' | 'other',
): GraphQLRequest {
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

/** Selects the fields that identify a row's owner. */
function keysOf({ field }: RootField, rows: AttackContext['api']['rows']): string {
  const row = connectionOf(field.type);
  const names = Object.keys(row?.getFields() ?? {});
  const keys = ['id', 'rowId'].filter((name) => names.includes(name));
  return keys.join(' ') || (row ? select(row, rows).slice(1, -1) : '__typename');
}
