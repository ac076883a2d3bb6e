import { PgSelectStep } from 'postgraphile/@dataplan/pg';
import type { ExecutionDetails, OperationPlan, Step } from 'postgraphile/grafast';

/** The private fields of PostGraphile's PgSelectStep from which it builds SQL for a request. */
export interface Select {
  readonly mode: string;
  readonly contextId: number;
  readonly firstStepId: number | null;
  readonly lastStepId: number | null;
  readonly offsetStepId: number | null;
  readonly afterStepId: number | null;
  readonly beforeStepId: number | null;
  readonly applyDepIds: readonly number[];
  readonly streamDetailsDepIds: readonly number[] | null;
  readonly placeholders: readonly Placeholder[];
  readonly deferreds: readonly unknown[];
  readonly fetchOneExtra: boolean;
  readonly dependencies: readonly Step[];
  readonly operationPlan: Pick<OperationPlan, 'operation' | 'schema'> & { readonly variableValuesStep: Step };
  readonly resource: Resource;
  execute(details: ExecutionDetails): Promise<readonly unknown[]>;
}

/** The table, view or function of the select. */
interface Resource {
  readonly uniques: readonly { readonly isPrimary?: boolean; readonly attributes: readonly string[] }[];
  readonly codec: { readonly attributes?: Readonly<Record<string, Attribute>> };
  readonly extensions?: { readonly hasRealKey?: boolean };
}

interface Attribute {
  readonly notNull?: boolean;
  readonly extensions?: { readonly canSelect?: boolean };
}

/** A bound parameter. Its value does not change the SQL. */
interface Placeholder {
  readonly dependencyIndex: number;
  readonly codec: { toPg(value: unknown): unknown };
  readonly alreadyEncoded: boolean;
}

/** Returns the step as a select; `undefined` for other steps. */
export function asSelect(step: Step): Select | undefined {
  return step instanceof PgSelectStep ? (step as unknown as Select) : undefined;
}

/** The values of a step's dependencies. */
export type Values = ExecutionDetails['values'];

/** Returns the value of a dependency that is the same for the whole request. */
export function unaryValue(values: Values, id: number | null): unknown {
  return id === null ? undefined : values[id]?.unaryValue();
}
