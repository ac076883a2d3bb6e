import { type FieldNode, Kind, type ValueNode } from 'postgraphile/graphql';
import { limits } from './complexity.ts';
import type { Variables } from './page.ts';

/** Caches `longestList` by value, because each list in an operation's cost reads the same variables. */
const longestLists = new WeakMap<object, number>();

/** Returns the length of the longest list in a variable's value; -1 without a list. `checkVariables` bounds the value. */
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

/** The number of items in a mutation's input, from literals and variables. The answer has the same number. */
export class Items {
  #longest: number | undefined;
  readonly #variables: string[] = [];
  readonly #defaults: ReadonlyMap<string, ValueNode>;

  /** @param defaults the default values of the operation's variables. */
  constructor({ arguments: given = [] }: FieldNode, defaults: ReadonlyMap<string, ValueNode>) {
    this.#defaults = defaults;
    for (const { value } of given) this.#read(value);
  }

  get isConstant(): boolean {
    return this.#variables.length === 0;
  }

  /** Returns the length of the longest list in the input; `undefined` without a list. */
  size(variables: Variables): number | undefined {
    let longest = this.#longest ?? -1;
    for (const name of this.#variables) longest = Math.max(longest, longestList(variables[name]));
    return longest < 0 ? undefined : longest;
  }

  #read(node: ValueNode | undefined): void {
    if (node?.kind === Kind.VARIABLE) {
      this.#variables.push(node.name.value);
      const defaultValue = this.#defaults.get(node.name.value);
      if (defaultValue?.kind !== Kind.VARIABLE) this.#read(defaultValue);
    } else if (node?.kind === Kind.LIST) {
      this.#longest = Math.max(this.#longest ?? 0, node.values.length);
      for (const value of node.values) this.#read(value);
    } else if (node?.kind === Kind.OBJECT) {
      for (const { value } of node.fields) this.#read(value);
    }
  }
}
