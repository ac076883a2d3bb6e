import { type FieldNode, Kind, type ValueNode } from 'postgraphile/graphql';
import { limits } from './complexity.ts';
import type { Variables } from './page.ts';

/** Results of longestList by value: each list of an operation's cost asks for the same variables again. */
const longestLists = new WeakMap<object, number>();

/** Items of the longest list in a variable's value; -1 where it has none. `checkVariables` has bounded the value. */
function longestList(value: unknown): number {
  if (typeof value !== 'object' || value === null) return -1;
  const known = longestLists.get(value);
  if (known !== undefined) return known;
  let longest = -1;
  const visit = (inner: unknown, depth: number) => {
    if (typeof inner !== 'object' || inner === null || depth > limits['input depth']) return;
    if (Array.isArray(inner)) longest = Math.max(longest, inner.length);
    for (const key in inner) visit((inner as Record<string, unknown>)[key], depth + 1);
  };
  visit(value, 0);
  longestLists.set(value, longest);
  return longest;
}

/** The items of a mutation's input, which are those of its answer: values, or variables that have them. */
export class Items {
  #longest: number | undefined;
  readonly #variables: string[] = [];
  readonly #defaults: ReadonlyMap<string, ValueNode>;

  /** `defaults` are those of the operation's variables. */
  constructor({ arguments: given = [] }: FieldNode, defaults: ReadonlyMap<string, ValueNode>) {
    this.#defaults = defaults;
    for (const { value } of given) this.#read(value);
  }

  get isConstant(): boolean {
    return this.#variables.length === 0;
  }

  /** Items of the longest list in the input; undefined where it has no list. */
  size(variables: Variables): number | undefined {
    let longest = this.#longest ?? -1;
    for (const name of this.#variables) longest = Math.max(longest, longestList(variables[name]));
    return longest < 0 ? undefined : longest;
  }

  #read(node: ValueNode | undefined): void {
    if (node?.kind === Kind.VARIABLE) {
      this.#variables.push(node.name.value);
      const standard = this.#defaults.get(node.name.value);
      if (standard?.kind !== Kind.VARIABLE) this.#read(standard);
    } else if (node?.kind === Kind.LIST) {
      this.#longest = Math.max(this.#longest ?? 0, node.values.length);
      for (const value of node.values) this.#read(value);
    } else if (node?.kind === Kind.OBJECT) {
      for (const { value } of node.fields) this.#read(value);
    }
  }
}
