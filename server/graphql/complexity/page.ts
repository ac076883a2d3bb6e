import { type FieldNode, type GraphQLError, Kind, type ValueNode } from 'postgraphile/graphql';
import { badInput, pageSize, tooComplex } from './complexity.ts';

export type Variables = Readonly<Record<string, unknown>>;

const names = ['first', 'last', 'offset', 'before', 'after'] as const;
type Argument = (typeof names)[number];

/** How a connection field says which page it wants: values, or where a variable's value comes from. */
export class Page {
  readonly #values: Partial<Record<Argument, unknown>> = {};
  readonly #variables: (readonly [argument: Argument, variable: string])[] = [];

  /** `defaults` are those of the operation's variables. */
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

  /** The most rows that this page has; an error where no page is like this. */
  size(variables: Variables): number | GraphQLError {
    const values = { ...this.#values };
    for (const [argument, name] of this.#variables) {
      if (Object.hasOwn(variables, name)) values[argument] = variables[name];
    }
    for (const name of ['first', 'last', 'offset'] as const) {
      const value = values[name];
      // What is no number is for GraphQL to refuse, as of the wrong type.
      if (typeof value !== 'number') continue;
      if (value < 0) return badInput(`${name}: ${value} is less than 0`, name);
      if (name !== 'offset' && value > pageSize.maximum)
        return tooComplex(`${name}: ${value} is more than a page may have (${pageSize.maximum})`);
    }
    for (const [one, other] of exclusive) {
      if (values[one] != null && values[other] != null) return badInput(`${one} cannot be combined with ${other}`, one);
    }
    const size = values.first ?? values.last;
    return typeof size === 'number' ? size : pageSize.default;
  }
}

/** A page is read forwards, by `first`, `after` and `offset`, or backwards, by `last` and `before`. */
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
