import { __ValueStep, AccessStep, type Step } from 'postgraphile/grafast';
import type { Select } from './select.ts';

const shapes = new WeakMap<Select, readonly string[] | undefined>();

/**
 * The names of the variables that decide what SQL a select is, beside those whose values it only binds. Undefined where
 * anything else than variables decides, which only PostGraphile can know.
 */
export function shapeOf(select: Select): readonly string[] | undefined {
  if (!shapes.has(select)) shapes.set(select, findShape(select));
  return shapes.get(select);
}

function findShape(select: Select): string[] | undefined {
  const { mode, deferreds, streamDetailsDepIds, placeholders, dependencies, operationPlan } = select;
  if (mode === 'mutation' || deferreds.length > 0 || streamDetailsDepIds?.length) return undefined;
  const deciding = [select.firstStepId, select.lastStepId, select.offsetStepId, ...select.applyDepIds].filter(isGiven);
  const bound = [select.afterStepId, select.beforeStepId, ...placeholders.map((p) => p.dependencyIndex)];
  if (bound.some((id) => deciding.includes(id as number))) return undefined;
  const names = new Set<string>();
  const known = deciding.every((id) =>
    isOfVariables(dependencies[id] as Step, operationPlan.variableValuesStep, names),
  );
  return known ? [...names] : undefined;
}

const isGiven = (id: number | null) => id !== null;

/** Whether `step` is a function of variables and of nothing else. Adds their names. */
function isOfVariables(step: Step, variables: Step, names: Set<string>): boolean {
  const { dependencies, path } = step as unknown as { dependencies: readonly Step[]; path?: readonly unknown[] };
  if (step instanceof AccessStep && dependencies[0] === variables && typeof path?.[0] === 'string') {
    names.add(path[0]);
    return true;
  }
  // What else a request brings: its context, and all of its variables at once.
  if (step instanceof __ValueStep || !step.isSyncAndSafe) return false;
  return dependencies.every((dependency) => isOfVariables(dependency, variables, names));
}
