import type { GraphQLError } from 'postgraphile/graphql';
import { beyond, limits } from './limits.ts';

/** Counts what stands in a request's variables; in a document the limit of tokens is enough. */
export function checkVariables(variables: Readonly<Record<string, unknown>>): GraphQLError | undefined {
  let [deepest, objects, longest] = [0, 0, 0];

  const visit = (value: object, depth: number): void => {
    if (depth > deepest) deepest = depth;
    // As deep as it takes to refuse it.
    if (depth > limits['input depth']) return;
    if (Array.isArray(value)) {
      if (value.length > longest) longest = value.length;
      for (const item of value) if (typeof item === 'object' && item !== null) visit(item, depth + 1);
    } else {
      objects++;
      for (const key in value) {
        const item = (value as Record<string, unknown>)[key];
        if (typeof item === 'object' && item !== null) visit(item, depth + 1);
      }
    }
  };
  for (const name in variables) {
    const value = variables[name];
    if (typeof value === 'object' && value !== null) visit(value, 1);
  }
  return beyond('input depth', deepest) ?? beyond('input list', longest) ?? beyond('input objects', objects);
}
