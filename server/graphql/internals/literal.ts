import { __InputStaticLeafStep, ConstantStep, type Step } from 'postgraphile/grafast';

/** Marks a value that only the request determines. */
export const variable = Symbol('variable');

/**
 * Returns the literal of an argument's step; `variable` if it has none. Grafast hides literals, so that plans do not depend
 * on the values of variables. A literal is part of the document, so a plan may depend on it.
 */
export function literalOf($step: Step): unknown {
  if ($step instanceof ConstantStep) return $step.data;
  return $step instanceof __InputStaticLeafStep
    ? ($step as unknown as { coercedValue: unknown }).coercedValue
    : variable;
}
