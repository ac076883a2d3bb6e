import {
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLObjectType,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'postgraphile/graphql';
import type { Field } from './schema.ts';

/** A place in a field's arguments that takes one value. */
export interface Slot {
  /** Such as `['input', 'updates', 0, 'patch', 'title']`. */
  readonly path: readonly (string | number)[];
  readonly name: string;
  /** The type without its `!` and `[]`. */
  readonly type: string;
  readonly inputType: GraphQLInputType;
  readonly list: boolean;
  readonly required: boolean;
  /** In an object of the row's values, such as `patch`, and not beside it. */
  readonly inner: boolean;
}

/** Values by the places that they stand in; places that are not in it are left out. */
export type Filling = ReadonlyMap<Slot, unknown>;

/** Arguments that narrow a connection. */
const narrowing = new Set(['filter', 'condition', 'orderBy', 'first', 'last', 'after', 'before', 'offset']);

/** Arguments of `field` that say what it is about; those that narrow a connection are attacked by themselves. */
export function slotsOf(field: Field, entity: GraphQLObjectType | undefined): Slot[] {
  const page = field.args.some(({ name }) => name === 'first');
  return field.args.filter(({ name }) => !(page && narrowing.has(name))).flatMap((argument) => walk(argument, entity));
}

function walk(
  argument: GraphQLArgument | GraphQLInputField,
  entity: GraphQLObjectType | undefined,
  path: readonly (string | number)[] = [],
  seen: readonly string[] = [],
): Slot[] {
  const { name, type, defaultValue } = argument;
  const named = getNamedType(type);
  const list = isListType(getNullableType(type));
  const here = [...path, name];
  const container = isInputObjectType(named) && !entity?.getFields()[name];
  if (!container) {
    if (name === 'clientMutationId') return [];
    const required = isNonNullType(type) && defaultValue === undefined;
    return [{ path: here, name, type: named.name, inputType: type, list, required, inner: path.length > 1 }];
  }
  if (seen.includes(named.name)) return [];
  const inside = list ? [...here, 0] : here;
  return Object.values(named.getFields()).flatMap((field) => walk(field, entity, inside, [...seen, named.name]));
}

/** The arguments as variables have them. */
export function argumentsOf(field: Field, filling: Filling): Record<string, unknown> {
  const built: Record<string, unknown> = {};
  for (const { name, type } of field.args) {
    // `input: {}` where nothing in it is given.
    if (isNonNullType(type) && isInputObjectType(getNamedType(type))) built[name] = {};
  }
  for (const [{ path }, value] of filling) put(built, path, value);
  return built;
}

function put(
  into: Record<string | number, unknown>,
  [step, ...rest]: readonly (string | number)[],
  value: unknown,
): void {
  if (step === undefined) return;
  if (rest.length === 0) into[step] = value;
  else {
    into[step] ??= typeof rest[0] === 'number' ? [] : {};
    put(into[step] as Record<string | number, unknown>, rest, value);
  }
}
