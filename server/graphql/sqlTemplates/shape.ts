import { __ValueStep, AccessStep, type Step } from 'postgraphile/grafast';
import { getNamedType, isEnumType, typeFromAST } from 'postgraphile/graphql';
import { CursorStep } from '../cursors/step.ts';
import type { Select } from '../internals/select.ts';

/** The inputs that determine the SQL of a select. Variables that are only bound parameters are not included. */
export interface Shape {
  /** The names of numeric, enum and boolean variables, such as sizes, orders and conditions of `@skip`. */
  readonly cacheable: readonly string[];
  /** The names of all other variables. Most are conditions, which reveal what tenants search for. */
  readonly sensitive: readonly string[];
  /** The dependencies that apply cursors. Nulls in a cursor change the SQL; other values are bound parameters. */
  readonly cursorIds: readonly number[];
}

const shapes = new WeakMap<Select, Shape | undefined>();

/** Returns the shape of a select; `undefined` if its SQL depends on anything other than variables and cursors. */
export function shapeOf(select: Select): Shape | undefined {
  if (!shapes.has(select)) shapes.set(select, findShape(select));
  return shapes.get(select);
}

function findShape(select: Select): Shape | undefined {
  const { mode, deferreds, streamDetailsDepIds, placeholders, dependencies, operationPlan } = select;
  if (mode === 'mutation' || deferreds.length > 0 || streamDetailsDepIds?.length) return undefined;
  const cursorIds = select.applyDepIds.filter((id) => dependencies[id] instanceof CursorStep);
  const applied = select.applyDepIds.filter((id) => !cursorIds.includes(id));
  const deciding = [select.firstStepId, select.lastStepId, select.offsetStepId, ...applied].filter(isGiven);
  const bound = [select.afterStepId, select.beforeStepId, ...placeholders.map((p) => p.dependencyIndex)];
  if (bound.some((id) => deciding.includes(id as number))) return undefined;
  const names = new Set<string>();
  const known = deciding.every((id) =>
    isOfVariables(dependencies[id] as Step, operationPlan.variableValuesStep, names),
  );
  if (!known) return undefined;
  const cacheable = [...names].filter((name) => isCacheable(name, operationPlan));
  return { cacheable, sensitive: [...names].filter((name) => !cacheable.includes(name)), cursorIds };
}

const isGiven = (id: number | null) => id !== null;

/** Tells whether `step` depends only on variables. Adds their names to `names`. */
function isOfVariables(step: Step, variables: Step, names: Set<string>): boolean {
  const { dependencies, path } = step as unknown as { dependencies: readonly Step[]; path?: readonly unknown[] };
  if (step instanceof AccessStep && dependencies[0] === variables && typeof path?.[0] === 'string') {
    names.add(path[0]);
    return true;
  }
  // A value step is another input of the request: its context, or all of its variables at once.
  if (step instanceof __ValueStep || !step.isSyncAndSafe) return false;
  return dependencies.every((dependency) => isOfVariables(dependency, variables, names));
}

function isCacheable(name: string, { schema, operation }: Select['operationPlan']): boolean {
  const definition = operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
  const type = definition && getNamedType(typeFromAST(schema, definition.type as never));
  return isEnumType(type) || ['Int', 'Float', 'Boolean'].includes(type?.name ?? '');
}
