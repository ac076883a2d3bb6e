import { type FieldNode, type GraphQLError, Kind, type ValueNode } from 'postgraphile/graphql';
import { badInput, pageSize, tooComplex } from './complexity.ts';

export type Variables = Readonly<Record<string, unknown>>;

const names = ['first', 'last', 'offset', 'before', 'after'] as const;
type Argument = (typeof names)[number];

/** The page that a connection field selects, from literals and variables. */
export class Page {
  readonly #values: Partial<Record<Argument, unknown>> = {};
  readonly #variables: (readonly [argument: Argument, variable: string])[] = [];

  /** @param defaults the default values of the operation's variables. */
  constructor({ arguments: given = [] }: FieldNode, defaults: ReadonlyMap<string, ValueNode>) {
    for (const { name, value } of given) {
      const argument = names.find((known) => known === name.value);
      if (!argument) continue;
      if (value.kind !== Kind.VARIABLE) this.#values[argument] = literal(value);
      else {
        this.#values[argument] = literal(defaults.get(value.name.value));
        this.#variables.push([argument, value.name.value]);
      }
    }
  }

  get isConstant(): boolean {
    return this.#variables.length === 0;
  }

  /** Returns the maximum number of rows on this page, or an error for invalid arguments. */
  size(variables: Variables): number | GraphQLError {
    const values = { ...this.#values };
    for (const [argument, name] of this.#variables) {
      if (Object.hasOwn(variables, name)) values[argument] = variables[name];
    }
    for (const name of ['first', 'last', 'offset'] as const) {
      const value = values[name];
      // GraphQL refuses values of other types.
      if (typeof value !== 'number') continue;
      if (value < 0) return badInput(`${name}: ${value} is less than 0`, name);
      if (name !== 'offset' && value > pageSize.maximum)
        return tooComplex(`${name}: ${value} exceeds the maximum page size (${pageSize.maximum})`);
    }
    for (const [one, other] of exclusive) {
      if (values[one] != null && values[other] != null) return badInput(`${one} cannot be combined with ${other}`, one);
    }
    const size = values.first ?? values.last;
    return typeof size === 'number' ? size : pageSize.default;
  }
}

/** Pairs that exclude each other. `first`, `after` and `offset` read forwards; `last` and `before` read backwards. */
const exclusive: readonly (readonly [Argument, Argument])[] = [
  ['last', 'first'],
  ['last', 'after'],
  ['last', 'offset'],
  ['before', 'first'],
  ['before', 'after'],
  ['before', 'offset'],
];

function literal(node: ValueNode | undefined): unknown {
  if (node?.kind === Kind.INT) return Number(node.value);
  return node === undefined || node.kind === Kind.NULL ? null : node;
}
