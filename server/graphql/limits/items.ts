import { type FieldNode, Kind, type ValueNode } from 'postgraphile/graphql';
import type { Variables } from './page.ts';

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
    let longest = this.#longest;
    const visit = (value: unknown, depth: number) => {
      // Deeper input has been refused.
      if (typeof value !== 'object' || value === null || depth > 15) return;
      if (Array.isArray(value)) longest = Math.max(longest ?? 0, value.length);
      for (const inner of Object.values(value)) visit(inner, depth + 1);
    };
    for (const name of this.#variables) visit(variables[name], 0);
    return longest;
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
