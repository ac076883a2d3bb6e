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

/** A position in a field's arguments that takes one value. */
export interface Slot {
  /** The path to the value, such as `['input', 'updates', 0, 'patch', 'title']`. */
  readonly path: readonly (string | number)[];
  readonly name: string;
  /** The name of the type, without `!` and `[]`. */
  readonly type: string;
  readonly inputType: GraphQLInputType;
  readonly list: boolean;
  readonly required: boolean;
  /** Whether it is in an object with the row's values, such as `patch`. */
  readonly inner: boolean;
}

/** Argument values by slot. Missing slots are omitted from the request. */
export type ArgumentValues = ReadonlyMap<Slot, unknown>;

/** Arguments that narrow a connection. */
const narrowing = new Set(['filter', 'condition', 'orderBy', 'first', 'last', 'after', 'before', 'offset']);

/** The slots of a field. Arguments that narrow a connection are left out, because attackConnection covers them. */
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

/** Builds the argument objects from slot values. */
export function argumentsOf(field: Field, values: ArgumentValues): Record<string, unknown> {
  const built: Record<string, unknown> = {};
  for (const { name, type } of field.args) {
    // A required input object without any value is sent as `{}`.
    if (isNonNullType(type) && isInputObjectType(getNamedType(type))) built[name] = {};
  }
  for (const [{ path }, value] of values) put(built, path, value);
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
