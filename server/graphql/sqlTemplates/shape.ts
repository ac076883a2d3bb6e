import { __ValueStep, AccessStep, type Step } from 'postgraphile/grafast';
import { getNamedType, isEnumType, typeFromAST } from 'postgraphile/graphql';
import { CursorStep } from '../cursors/step.ts';
import type { Select } from './select.ts';

/** The variables that decide what SQL a select is, by name. Those whose values it only binds are not among them. */
export interface Shape {
  /** Numbers, enums and booleans: sizes, orders, what is left out. */
  readonly cacheable: readonly string[];
  /** All others, conditions above all: what tenants look for. */
  readonly sensitive: readonly string[];
  /** The dependencies that apply cursors: which values are null decides on the SQL, the others are only bound. */
  readonly cursorIds: readonly number[];
}

const shapes = new WeakMap<Select, Shape | undefined>();

/** Undefined where anything else than variables decides, which only PostGraphile can know. */
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
  const cacheable = [...names].filter((name) => isPlain(name, operationPlan));
  return { cacheable, sensitive: [...names].filter((name) => !cacheable.includes(name)), cursorIds };
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

function isPlain(name: string, { schema, operation }: Select['operationPlan']): boolean {
  const definition = operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
  const type = definition && getNamedType(typeFromAST(schema, definition.type as never));
  return isEnumType(type) || ['Int', 'Float', 'Boolean'].includes(type?.name ?? '');
}
