import type { GraphQLError } from 'postgraphile/graphql';
import { limitError, limits } from './complexity.ts';
import type { Variables } from './page.ts';

/** The input of an operation. */
export interface InputUse {
  /** The number of objects in literals. */
  readonly objects: number;
  /** The number of uses by name of the variable. */
  readonly variables: ReadonlyMap<string, number>;
}

/**
 * Checks the size of a request's variables. Values count for each use, because each use adds to the SQL. Literals need no
 * check, because the limit on tokens bounds them.
 *
 * @returns the error of the first exceeded limit.
 */
export function checkVariables(variables: Variables, use: InputUse, isMutation: boolean): GraphQLError | undefined {
  let [deepest, objects, longest, characters] = [0, use.objects, 0, 0];

  const visit = (value: unknown, depth: number, times: number): void => {
    if (typeof value === 'string') characters += value.length * times;
    if (typeof value !== 'object' || value === null) return;
    // The request is refused already. Reading the rest of a large body would only hold the event loop.
    if (longest > limits['input list']) return;
    if (depth > deepest) deepest = depth;
    // The value is too deep already, so nothing below it matters.
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
    limitError('input depth', deepest) ??
    limitError('input list', longest) ??
    limitError('input objects', objects) ??
    limitError(isMutation ? 'input characters of a mutation' : 'input characters', characters)
  );
}
