import type { GraphQLError } from 'postgraphile/graphql';
import { beyond, limits } from './complexity.ts';
import type { Variables } from './page.ts';

/** How often an operation uses its variables, and how many objects its literals have. */
export interface InputUse {
  readonly objects: number;
  /** By name of the variable. */
  readonly variables: ReadonlyMap<string, number>;
}

/**
 * Counts what stands in a request's variables, as often as the operation uses them: SQL is built for each use. In a
 * document itself the limit of tokens is enough.
 */
export function checkVariables(variables: Variables, use: InputUse, isMutation: boolean): GraphQLError | undefined {
  let [deepest, objects, longest, characters] = [0, use.objects, 0, 0];

  const visit = (value: unknown, depth: number, times: number): void => {
    if (typeof value === 'string') characters += value.length * times;
    if (typeof value !== 'object' || value === null) return;
    // A list that is refused anyway: reading the rest of a large body would only hold the event loop.
    if (longest > limits['input list']) return;
    if (depth > deepest) deepest = depth;
    // As deep as it takes to refuse it.
    if (depth > limits['input depth']) return;
    if (Array.isArray(value)) {
      if (value.length > longest) longest = value.length;
      if (longest > limits['input list']) return;
      for (const item of value) visit(item, depth + 1, times);
    } else {
      objects += times;
      for (const key in value) {
        characters += key.length;
        visit((value as Record<string, unknown>)[key], depth + 1, times);
      }
    }
  };
  for (const name in variables) visit(variables[name], 1, use.variables.get(name) ?? 1);
  return (
    beyond('input depth', deepest) ??
    beyond('input list', longest) ??
    beyond('input objects', objects) ??
    beyond(isMutation ? 'input characters of a mutation' : 'input characters', characters)
  );
}
